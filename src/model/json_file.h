// Strict JSON files: a bounded size and depth, no duplicate keys, and typed access whose errors name file and key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace coterie::model {

namespace fs = std::filesystem;

/// Walks over text and notes how far the JSON parser has read, so that errors can name a byte.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  /// @param passed  characters passed so far; null for an end
  explicit CountingIterator(const char* at, std::size_t* passed = nullptr) : at_(at), passed_(passed) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    if (passed_ != nullptr) ++*passed_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* passed_;
};

/// Offset of the first byte that is not well-formed UTF-8, or `text.size()`.
[[nodiscard]] std::size_t first_invalid_utf8(std::string_view text);

/// The parser's reason without its own prefix, cut to a readable length.
[[nodiscard]] std::string parse_reason(const nlohmann::json::exception& error);

/// The whole content of a regular file of at most 64 MiB.
/// @throws IoError if it cannot be read; DataError if it is not a regular file or too large
[[nodiscard]] std::string read_small_file(const fs::path& path);

/// Parses JSON text.
/// @param file  named in errors
/// @throws DataError with the byte if it is not JSON, has a duplicate key or nests deeper than 32
[[nodiscard]] nlohmann::json parse_json(std::string_view text, const fs::path& file);

/// Reads and parses a JSON file.
/// @throws as `read_small_file` and `parse_json`
[[nodiscard]] nlohmann::json read_json(const fs::path& path);

/// A JSON object from a file, read by key. A missing key gives the fallback; a wrong value is a DataError.
class JsonObject {
 public:
  /// @throws DataError unless `value` is an object
  JsonObject(nlohmann::json value, fs::path file);

  /// The value of a key, or a null pointer.
  [[nodiscard]] const nlohmann::json* find(const std::string& key) const;
  [[nodiscard]] std::int64_t integer(const std::string& key, std::int64_t fallback, std::int64_t min,
                                     std::int64_t max) const;
  /// A number in [min, max).
  [[nodiscard]] double number(const std::string& key, double fallback, double min, double max) const;
  [[nodiscard]] std::string text(const std::string& key, const std::string& fallback) const;
  [[nodiscard]] bool flag(const std::string& key, bool fallback) const;

  /// Throws a DataError: the value of `key` is not what it must be.
  [[noreturn]] void reject(const std::string& key, const std::string& must_be) const;

 private:
  nlohmann::json value_;
  fs::path file_;
};

}  // namespace coterie::model
