// Strict reading of a tokenizer's JSON files: every error names the file and the place in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/str.h"

namespace coterie::data {

/// Throws a DataError `tokenizer: <parts> (<path>)`.
template <class... Parts>
[[noreturn]] void fail_tokenizer(const std::filesystem::path& path, const Parts&... parts) {
  throw DataError(str("tokenizer: ", parts..., " (", path.string(), ")"));
}

/// The content of a tokenizer's file, of bounded size.
///
/// @throws DataError if it is too large or the pointer that Git LFS leaves for a file; IoError if it cannot be read
[[nodiscard]] std::string read_tokenizer_file(const std::filesystem::path& path);

/// Parses a file, with bounds on size and nesting.
/// @throws DataError with the position of a syntax error
[[nodiscard]] nlohmann::json parse_tokenizer_json(const std::filesystem::path& path);

/// A value in a JSON file together with its name, such as `model.vocab`. It must not outlive the document.
class JsonNode {
 public:
  JsonNode(const nlohmann::json& value, std::string name, const std::filesystem::path& path)
      : value_(&value), name_(std::move(name)), path_(&path) {}

  /// A member of an object.
  /// @throws DataError if this is not an object, or has no such member
  [[nodiscard]] JsonNode at(std::string_view key) const;
  /// A member of an object; nothing if it is missing.
  /// @throws DataError if this is not an object
  [[nodiscard]] std::optional<JsonNode> find(std::string_view key) const;
  /// All members of an object, ascending by key.
  /// @throws DataError if this is not an object
  [[nodiscard]] std::vector<std::pair<std::string, JsonNode>> members() const;
  /// The elements of an array.
  /// @throws DataError if this is not an array
  [[nodiscard]] std::vector<JsonNode> elements() const;

  [[nodiscard]] bool is_null() const { return value_->is_null(); }
  [[nodiscard]] bool is_object() const { return value_->is_object(); }
  /// @throws DataError if this is not true or false
  [[nodiscard]] bool boolean() const;
  /// @throws DataError if this is not a string
  [[nodiscard]] const std::string& text() const;
  /// @throws DataError if this is not a whole number in low..high
  [[nodiscard]] std::int64_t integer(std::int64_t low, std::int64_t high) const;

  /// Throws a DataError that says what this value must be and what it is.
  [[noreturn]] void reject(std::string_view wanted) const;

 private:
  const nlohmann::json* value_;
  std::string name_;
  const std::filesystem::path* path_;
};

}  // namespace coterie::data
