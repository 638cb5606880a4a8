// SHA-256 against published digests.
#include "base/sha256.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "tests/harness/temporary_folder.h"

namespace coterie {
namespace {

std::string digest(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.hex();
}

// Source: FIPS 180-4 examples of NIST, and the empty message.
TEST(Sha256, gives_the_published_digests) {
  EXPECT_EQ(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, does_not_depend_on_how_the_bytes_arrive) {
  Sha256 hash;
  for (int i = 0; i < 10000; ++i) hash.update(std::string(100, 'a'));
  hash.update("");

  EXPECT_EQ(hash.hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, of_a_file_is_that_of_its_bytes) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "a";
  // Longer than one block of the reader (1 MiB), and not a multiple of it.
  const std::string text = std::string((std::size_t{1} << 20) + 17, 'x') + std::string("\0\r\n", 3);
  std::ofstream(path, std::ios::binary) << text;

  EXPECT_EQ(sha256_of_file(path), digest(text));
}

TEST(Sha256, of_an_empty_file_is_that_of_nothing) {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "a").flush();

  EXPECT_EQ(sha256_of_file(folder.path() / "a"), digest(""));
}

TEST(Sha256, of_a_missing_file_is_an_error_that_names_it) {
  try {
    static_cast<void>(sha256_of_file("no/such/file"));
    FAIL();
  } catch (const IoError& error) {
    EXPECT_STREQ(error.what(), "file: cannot read 'no/such/file': No such file or directory (2)");
  }
}

}  // namespace
}  // namespace coterie
