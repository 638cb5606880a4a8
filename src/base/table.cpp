// Column widths and alignment of text tables.
#include "base/table.h"

#include <algorithm>
#include <cctype>
#include <iomanip>
#include <sstream>

#include "base/error.h"

namespace coterie {
namespace {

// Characters of a UTF-8 string: every byte but the continuation bytes.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Digits with a sign, a point, an exponent or a percent sign: what a reader takes for a number.
bool looks_numeric(const std::string& cell) {
  if (cell == "-" || cell == "nan" || cell == "inf" || cell == "-inf") return true;
  std::size_t at = cell[0] == '-' || cell[0] == '+' ? 1 : 0;
  if (at < cell.size() && cell[at] == '.') ++at;
  if (at >= cell.size() || std::isdigit(static_cast<unsigned char>(cell[at])) == 0) return false;
  return cell.find_first_not_of("0123456789.eE+-%", at) == std::string::npos;
}

bool all_numeric(const std::vector<std::vector<std::string>>& rows, std::size_t column) {
  bool filled = false;
  for (const auto& row : rows) {
    if (row[column].empty()) continue;
    if (!looks_numeric(row[column])) return false;
    filled = true;
  }
  return filled;
}

struct Column {
  std::size_t width = 0;
  bool right = false;
};

std::vector<Column> layout(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows) {
  std::vector<Column> columns(header.size());
  for (std::size_t i = 0; i < header.size(); ++i) {
    columns[i] = {width_of(header[i]), all_numeric(rows, i)};
    for (const auto& row : rows) columns[i].width = std::max(columns[i].width, width_of(row[i]));
  }
  return columns;
}

std::string padded(const std::string& cell, const Column& column) {
  const std::string blanks(column.width - width_of(cell), ' ');
  return column.right ? blanks + cell : cell + blanks;
}

void append_line(std::string& out, const std::vector<std::string>& cells, const std::vector<Column>& columns) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) line += (i == 0 ? "" : "  ") + padded(cells[i], columns[i]);
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + '\n';
}

std::string escaped(const std::string& cell) {
  std::string out;
  for (const char c : cell) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string csv_cell(const std::string& cell) {
  if (cell.find_first_of(",\"\n\r") == std::string::npos) return cell;
  std::string out = "\"";
  for (const char c : cell) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace

Table::Table(std::vector<std::string> header) : header_(std::move(header)) {
  COTERIE_CHECK(ShapeError, !header_.empty(), "table: at least one column is needed, got none");
}

void Table::add_row(std::vector<std::string> cells) {
  COTERIE_CHECK(ShapeError, cells.size() == header_.size(), "table: a row must have ", header_.size(), " cells, got ",
                cells.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  const auto columns = layout(header_, rows_);
  std::string out;
  append_line(out, header_, columns);
  std::vector<std::string> rule;
  for (const Column& column : columns) rule.emplace_back(column.width, '-');
  append_line(out, rule, columns);
  for (const auto& row : rows_) append_line(out, row, columns);
  return out;
}

std::string Table::markdown() const {
  std::vector<std::string> header;
  for (const auto& cell : header_) header.push_back(escaped(cell));
  auto rows = rows_;
  for (auto& row : rows)
    for (auto& cell : row) cell = escaped(cell);
  auto columns = layout(header, rows);
  // Three characters at least: the rule of a right-aligned column is `--:`.
  for (Column& column : columns) column.width = std::max<std::size_t>(column.width, 3);

  std::string out;
  const auto append = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) out += "| " + padded(cells[i], columns[i]) + ' ';
    out += "|\n";
  };
  append(header);
  for (const Column& column : columns)
    out += "| " + std::string(column.width - 1, '-') + (column.right ? ':' : '-') + ' ';
  out += "|\n";
  for (const auto& row : rows) append(row);
  return out;
}

std::string Table::csv() const {
  std::string out;
  const auto append = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) out += ',';
      out += csv_cell(cells[i]);
    }
    out += '\n';
  };
  append(header_);
  for (const auto& row : rows_) append(row);
  return out;
}

std::vector<bool> Table::right_aligned() const {
  std::vector<bool> right;
  for (std::size_t i = 0; i < header_.size(); ++i) right.push_back(all_numeric(rows_, i));
  return right;
}

std::string decimal(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

std::string signed_decimal(double value, int digits) { return str(value >= 0 ? "+" : "", decimal(value, digits)); }

std::string probability(double value) {
  if (value == 0.0 || value >= 0.0005) return decimal(value, 3);
  std::ostringstream out;
  out << std::scientific << std::setprecision(0) << value;
  return out.str();
}

}  // namespace coterie
