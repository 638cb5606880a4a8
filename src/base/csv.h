// Comma-separated values with quotes: a cell may hold commas, quotes and line ends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace coterie {

/// Where a cell begins.
struct CsvPlace {
  std::int64_t line = 1;
  std::int64_t column = 1;  ///< in bytes, from 1
};

/// One row.
struct CsvRow {
  std::vector<std::string> cells;
  std::vector<CsvPlace> places;  ///< of the cells
};

/// A CSV file in memory.
///
/// Cells are separated by commas, rows by CRLF, LF or CR. A cell that begins with a quote ends at the next single quote
/// sign; a doubled one inside stands for itself, and line ends inside belong to the cell as they are. In a cell that
/// does not begin with a quote, quotes are plain characters. Empty lines are skipped.
class Csv {
 public:
  /// @throws IoError; DataError with file, line and column: not UTF-8, no header, a quote that never ends, text after a
  /// closing
  ///         quote, a row with another number of cells than the header
  explicit Csv(const std::filesystem::path& path);

  /// The rows below the header, each with as many cells.
  [[nodiscard]] const std::vector<CsvRow>& rows() const noexcept { return rows_; }

  /// `path:line:column` of a cell, as messages name it.
  [[nodiscard]] std::string place_of(const CsvRow& row, std::size_t cell) const;

  /// Whether there is a column of that name, told as `column` does.
  [[nodiscard]] bool has(std::string_view name) const;

  /// Index of the column of that name; case and blanks around it do not matter.
  /// @throws DataError listing the columns there are, if it is missing or stands twice
  [[nodiscard]] std::size_t column(std::string_view name) const;

 private:
  std::filesystem::path path_;
  CsvRow header_;
  std::vector<CsvRow> rows_;
};

}  // namespace coterie
