// The .npy header, both ways. It is a Python dict literal; only the form that NumPy defines is read.
#include "base/npy.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/excerpt.h"

namespace coterie {
namespace {

static_assert(std::endian::native == std::endian::little, "values are written in the order of this machine");

constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);
constexpr std::size_t kPrefixBytes = kMagic.size() + 2;  // magic, version, header length
constexpr std::size_t kAlignment = 64;

std::string header_of(std::span<const std::int64_t> shape) {
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < shape.size(); ++i) text += str(i == 0 ? "" : " ", shape[i], ",");
  // Python writes (3,) but (3, 4).
  if (shape.size() > 1) text.pop_back();
  text += "), }";
  const std::size_t unpadded = kPrefixBytes + text.size() + 1;
  text.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  return text + '\n';
}

/// Reads the dict literal from left to right; every failure names the offset in the file.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const fs::path& path) : text_(text), path_(path) {}

  std::vector<std::int64_t> shape() {
    expect("{");
    while (!take("}")) {
      const std::string_view key = quoted_text();
      expect(":");
      value_of(key);
      if (!take(",")) {
        expect("}");
        break;
      }
    }
    skip_blanks();
    if (at_ != text_.size()) fail("the end of the header");
    if (seen_ != kAllKeys) fail("the keys descr, fortran_order and shape");
    return std::move(shape_);
  }

 private:
  static constexpr unsigned kAllKeys = 7;

  void value_of(std::string_view key) {
    if (key == "descr") {
      once(1);
      const std::size_t start = at_;
      if (quoted_text() != "<f4") fail_at(start, "the type '<f4' (little-endian fp32)");
    } else if (key == "fortran_order") {
      once(2);
      expect("False");
    } else if (key == "shape") {
      once(4);
      read_shape();
    } else {
      fail("one of the keys descr, fortran_order, shape before it");
    }
  }

  void once(unsigned bit) {
    if ((seen_ & bit) != 0) fail("each key once");
    seen_ |= bit;
    skip_blanks();
  }

  void read_shape() {
    expect("(");
    while (!take(")")) {
      skip_blanks();
      std::int64_t extent = -1;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), extent);
      if (error != std::errc() || extent < 0) fail("an extent in 0..9223372036854775807");
      at_ = static_cast<std::size_t>(end - text_.data());
      shape_.push_back(extent);
      if (!take(",")) {
        if (shape_.size() == 1) fail("',': a tuple of one ends with it");
        expect(")");
        break;
      }
    }
  }

  std::string_view quoted_text() {
    skip_blanks();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail("a quoted word");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("a closed quotation");
    const std::string_view word = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return word;
  }

  bool take(std::string_view word) {
    skip_blanks();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  void expect(std::string_view word) {
    if (!take(word)) fail(str("'", word, "'"));
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }

  [[noreturn]] void fail(const std::string& expected) const { fail_at(at_, expected); }

  [[noreturn]] void fail_at(std::size_t at, const std::string& expected) const {
    throw DataError(str("npy: the header must have ", expected, ", got ", excerpt(text_.substr(at, 24)), " (",
                        path_.string(), ", offset ", kPrefixBytes + at, ")"));
  }

  std::string_view text_;
  fs::path path_;
  std::size_t at_ = 0;
  unsigned seen_ = 0;
  std::vector<std::int64_t> shape_;
};

// Bytes that fp32 values of this shape take; more than any file has if the product overflows.
std::uint64_t bytes_of(std::span<const std::int64_t> shape) {
  constexpr std::uint64_t kTooMany = std::numeric_limits<std::uint64_t>::max();
  for (const std::int64_t extent : shape)
    if (extent == 0) return 0;
  std::uint64_t bytes = sizeof(float);
  for (const std::int64_t extent : shape) {
    if (bytes > kTooMany / static_cast<std::uint64_t>(extent)) return kTooMany;
    bytes *= static_cast<std::uint64_t>(extent);
  }
  return bytes;
}

}  // namespace

void write_npy(FileOps& ops, const fs::path& path, std::span<const float> values, std::span<const std::int64_t> shape) {
  for (const std::int64_t extent : shape)
    COTERIE_CHECK(ShapeError, extent >= 0, "npy: extents must not be negative, got ", extent);
  COTERIE_CHECK(ShapeError, bytes_of(shape) == values.size_bytes(), "npy: the shape takes ", bytes_of(shape),
                " bytes, the values have ", values.size_bytes());
  const std::string header = header_of(shape);
  COTERIE_CHECK(ShapeError, header.size() <= std::numeric_limits<std::uint16_t>::max(),
                "npy: format 1.0 holds headers of at most 65535 bytes, got ", header.size());
  const std::array<char, 2> length = {static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  const std::array<std::string_view, 4> pieces = {
      kMagic, std::string_view(length.data(), length.size()), header,
      std::string_view(reinterpret_cast<const char*>(values.data()), values.size_bytes())};
  write_file_atomically(ops, path, pieces);
}

NpyArray read_npy(const fs::path& path) {
  const std::string content = read_file(path);
  const std::string_view bytes(content);
  if (bytes.substr(0, 6) != kMagic.substr(0, 6))
    throw DataError(
        str("npy: the file must start with \\x93NUMPY, got something else (", path.string(), ", offset 0)"));
  if (bytes.size() < kPrefixBytes)
    throw DataError(
        str("npy: the prefix takes ", kPrefixBytes, " bytes, the file has ", bytes.size(), " (", path.string(), ")"));
  const auto byte_at = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
  if (bytes.substr(0, kMagic.size()) != kMagic)
    throw DataError(str("npy: the format version must be 1.0, got ", byte_at(6), ".", byte_at(7), " (", path.string(),
                        ", offset 6)"));
  const std::size_t header_bytes = byte_at(8) + (byte_at(9) << 8);
  if (header_bytes > bytes.size() - kPrefixBytes)
    throw DataError(str("npy: the header takes ", header_bytes, " bytes, the file has ", bytes.size() - kPrefixBytes,
                        " after the prefix (", path.string(), ", offset 8)"));
  NpyArray array;
  array.shape = HeaderReader(bytes.substr(kPrefixBytes, header_bytes), path).shape();
  const std::string_view values = bytes.substr(kPrefixBytes + header_bytes);
  const std::uint64_t expected = bytes_of(array.shape);
  if (expected != values.size())
    throw DataError(str("npy: the shape takes ", expected, " bytes, the file has ", values.size(),
                        " after the header (", path.string(), ", offset ", kPrefixBytes + header_bytes, ")"));
  array.values.resize(values.size() / sizeof(float));
  if (!values.empty()) std::memcpy(array.values.data(), values.data(), values.size());
  return array;
}

}  // namespace coterie
