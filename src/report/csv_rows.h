// The CSV files of a run: a header, then a row on each line.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace coterie::report {

/// The cells of a row that were asked for.
struct CsvRow {
  std::vector<std::string> cells;
  std::string place;  ///< `path:line`
};

/// Calls `act` for each row below the header, with the cells of these columns. A cell in quotes may hold commas and
/// doubled quotes.
/// @throws DataError with the line if a column is missing, a row has another number of cells than the header, or a
///         quoted cell does not end on its line; IoError; what `act` throws
void for_each_csv_row(const std::filesystem::path& path, const std::vector<std::string_view>& columns,
                      const std::function<void(const CsvRow& row)>& act);

}  // namespace coterie::report
