// RIS, the export format of reference managers: records of tagged lines, with untagged continuation lines.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace coterie::data {

/// One reference: the values of each tag in the order of the file.
struct RisRecord {
  std::int64_t line = 0;  ///< of its `TY`
  std::map<std::string, std::vector<std::string>, std::less<>> values;

  /// The first value of a tag, or an empty text.
  [[nodiscard]] std::string_view first(std::string_view tag) const;
};

/// Reads a RIS file.
///
/// A tagged line is two capitals (or a capital and a digit), two blanks, a hyphen, a blank and the value; the last
/// blank may be missing. Any other line that is not blank goes on with the value before it, after one blank.
///
/// @throws IoError; DataError with file and line: not UTF-8, text outside `TY` ... `ER`, a record that does not end, a
///         tag with another number of blanks before its hyphen
[[nodiscard]] std::vector<RisRecord> read_ris(const std::filesystem::path& path);

}  // namespace coterie::data
