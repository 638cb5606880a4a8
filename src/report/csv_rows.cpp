#include "report/csv_rows.h"

#include <algorithm>

#include "base/error.h"
#include "base/file_ops.h"
#include "report/lines.h"

namespace coterie::report {
namespace {

/// Takes a quoted cell from the front of a line.
std::string take_quoted(std::string_view& line, const std::string& place) {
  std::string cell;
  line.remove_prefix(1);
  while (true) {
    const std::size_t quote = line.find('"');
    if (quote == std::string_view::npos)
      throw DataError(str("report: a cell in quotes must end on its line (", place, ")"));
    cell += line.substr(0, quote);
    line.remove_prefix(quote + 1);
    if (!line.starts_with('"')) return cell;
    cell += '"';
    line.remove_prefix(1);
  }
}

std::vector<std::string> cells_of(std::string_view line, const std::string& place) {
  std::vector<std::string> cells;
  while (true) {
    std::string cell = line.starts_with('"') ? take_quoted(line, place) : std::string();
    const std::size_t end = std::min(line.find(','), line.size());
    cells.push_back(std::move(cell.append(line.substr(0, end))));
    if (end == line.size()) return cells;
    line.remove_prefix(end + 1);
  }
}

std::size_t column_of(const std::vector<std::string>& header, std::string_view name, const std::string& place) {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) throw DataError(str("report: column '", name, "' is missing (", place, ")"));
  return static_cast<std::size_t>(found - header.begin());
}

}  // namespace

void for_each_csv_row(const fs::path& path, const std::vector<std::string_view>& columns,
                      const std::function<void(const CsvRow& row)>& act) {
  std::size_t width = 0;
  std::vector<std::size_t> wanted;
  for_each_line(read_file(path), [&](std::string_view line, std::size_t number) {
    const std::string place = str(path.string(), ":", number);
    std::vector<std::string> cells = cells_of(line, place);
    if (number == 1) {
      width = cells.size();
      for (const std::string_view name : columns) wanted.push_back(column_of(cells, name, place));
      return;
    }
    if (cells.size() != width)
      throw DataError(
          str("report: a row must have ", width, " cells like the header, got ", cells.size(), " (", place, ")"));
    CsvRow row{.cells = {}, .place = place};
    for (const std::size_t column : wanted) row.cells.push_back(cells[column]);
    act(row);
  });
}

}  // namespace coterie::report
