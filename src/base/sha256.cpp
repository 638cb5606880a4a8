#include "base/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <vector>

#include "base/error.h"
#include "base/handle.h"

namespace coterie {

struct Sha256::Context {
  struct Traits {
    using Raw = EVP_MD_CTX*;
    static Raw null() noexcept { return nullptr; }
    static void release(Raw raw) noexcept { EVP_MD_CTX_free(raw); }
  };
  Handle<Traits> md{EVP_MD_CTX_new()};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  COTERIE_CHECK(Error, EVP_DigestInit_ex(context_->md.get(), EVP_sha256(), nullptr) == 1, "sha256: cannot start");
}

Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
  COTERIE_CHECK(Error, EVP_DigestUpdate(context_->md.get(), bytes.data(), bytes.size()) == 1, "sha256: cannot update");
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  COTERIE_CHECK(Error, EVP_DigestFinal_ex(context_->md.get(), digest.data(), &size) == 1, "sha256: cannot finish");
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

std::string sha256_of(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.hex();
}

std::string sha256_of_file(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) throw IoError(str("file: cannot read '", path.string(), "': ", errno_text(errno)));
  Sha256 hash;
  std::vector<char> block(1 << 20);
  while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0)
    hash.update(std::string_view(block.data(), static_cast<std::size_t>(in.gcount())));
  if (in.bad()) throw IoError(str("file: cannot read '", path.string(), "': ", errno_text(errno)));
  return hash.hex();
}

}  // namespace coterie
