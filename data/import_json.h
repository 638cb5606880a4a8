// JSON in files that are imported or embedded: parsing with the place of an error, and fields of a required type.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace coterie::data {

/// Nested deeper than this no imported file is.
inline constexpr int kMaxJsonDepth = 64;

/// Parses one JSON value.
///
/// @param text  the value and nothing else but blanks
/// @param line  of the file in which `text` begins
/// @throws DataError with file, line and column: not JSON, not UTF-8, nested deeper than `kMaxJsonDepth`
[[nodiscard]] nlohmann::json parse_json(std::string_view text, const std::filesystem::path& path, std::int64_t line);

/// How messages name the type of a value: `a string`, `an object`, ...
[[nodiscard]] std::string type_name(const nlohmann::json& value);

/// A line of a JSONL file: an object, and the place it stands at.
class JsonLine {
 public:
  /// @param unit  who reads, for messages
  /// @throws DataError if the line is no JSON object
  JsonLine(const char* unit, std::string_view text, const std::filesystem::path& path, std::int64_t line);
  JsonLine(const JsonLine&) = delete;
  JsonLine& operator=(const JsonLine&) = delete;
  ~JsonLine();

  [[nodiscard]] bool has(const char* field) const;
  /// The text of a field.
  /// @throws DataError if it is missing or no string
  [[nodiscard]] std::string text(const char* field) const;
  /// An id: a string that is not blank, or an integer, which gives its decimal digits.
  /// @throws DataError if it is missing or anything else
  [[nodiscard]] std::string id(const char* field) const;
  /// An integer in [min, max].
  /// @throws DataError if it is missing or anything else
  [[nodiscard]] std::int64_t integer(const char* field, std::int64_t min, std::int64_t max) const;
  /// Throws DataError: `what` is wrong with this line.
  [[noreturn]] void fail(const std::string& what) const;

 private:
  [[nodiscard]] const nlohmann::json& field(const char* name) const;

  const char* unit_;
  const std::filesystem::path& path_;
  std::int64_t line_;
  std::unique_ptr<nlohmann::json> object_;
};

/// Calls `use` with every line of a JSONL file that is not blank, and with its number, from 1.
/// @param unit  who reads, for messages
/// @throws IoError if the file cannot be read; DataError if a line is no JSON object, and what `use` throws
void for_each_json_line(const char* unit, const std::filesystem::path& file,
                        const std::function<void(const JsonLine&, std::int64_t)>& use);

}  // namespace coterie::data
