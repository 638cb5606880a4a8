// Comma-separated values with quotes: a cell may hold commas, quotes and line ends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace coterie::data {

/// One row below the header.
struct CsvRow {
  std::int64_t line = 0;  ///< of its first cell
  std::vector<std::string> cells;
};

/// A CSV file in memory.
///
/// Cells are separated by commas, rows by CRLF, LF or CR. A cell that begins with a quote ends at the next single quote
/// sign; a doubled one inside stands for itself, and line ends inside belong to the cell as they are. In a cell that
/// does not begin with a quote, quotes are plain characters. Empty lines are skipped.
class Csv {
 public:
  /// @throws IoError; DataError with file and line: not UTF-8, no header, a quote that never ends, text after a closing
  ///         quote, a row with another number of cells than the header
  explicit Csv(const std::filesystem::path& path);

  [[nodiscard]] const std::vector<CsvRow>& rows() const noexcept { return rows_; }

  /// Index of the column of that name; case and blanks around it do not matter.
  /// @throws DataError listing the columns there are, if it is missing or stands twice
  [[nodiscard]] std::size_t column(std::string_view name) const;

 private:
  std::filesystem::path path_;
  std::vector<std::string> header_;
  std::vector<CsvRow> rows_;
};

}  // namespace coterie::data
