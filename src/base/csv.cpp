// Reading of comma-separated values.
#include "base/csv.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/text.h"

namespace coterie {
namespace {

class CsvParser {
 public:
  CsvParser(const std::filesystem::path& path, std::string_view text) : path_(path), text_(text) {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") text_.remove_prefix(3);
  }

  // The next row that is not an empty line.
  std::optional<CsvRow> next() {
    while (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r')) end_of_line();
    if (at_ >= text_.size()) return std::nullopt;
    CsvRow row;
    while (true) {
      row.places.push_back(here());
      row.cells.push_back(text_.substr(at_, 1) == "\"" ? quoted_cell() : plain_cell());
      if (at_ >= text_.size()) return row;
      if (text_[at_] != ',') {
        end_of_line();
        return row;
      }
      ++at_;
    }
  }

 private:
  std::string plain_cell() {
    const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    std::string cell(text_.substr(at_, end - at_));
    at_ = end;
    return cell;
  }

  std::string quoted_cell() {
    const CsvPlace begun = here();
    std::string cell;
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n' || c == '\r') {
        const std::size_t start = at_;
        end_of_line();
        cell += text_.substr(start, at_ - start);
        continue;
      }
      ++at_;
      if (c != '"') {
        cell += c;
      } else if (text_.substr(at_, 1) == "\"") {
        cell += '"';
        ++at_;
      } else {
        if (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\r' && text_[at_] != '\n')
          throw DataError(str("csv: a comma or the end of the row must follow a closing quote, got ",
                              excerpt(text_.substr(at_)), " (", place(path_, line_, here().column), ")"));
        return cell;
      }
    }
    throw DataError(str("csv: a quoted cell must end with a quote, got the end of the file (",
                        place(path_, begun.line, begun.column), ")"));
  }

  void end_of_line() {
    at_ += text_.substr(at_, 2) == "\r\n" ? 2 : 1;
    ++line_;
    line_start_ = at_;
  }

  [[nodiscard]] CsvPlace here() const { return {line_, static_cast<std::int64_t>(at_ - line_start_) + 1}; }

  const std::filesystem::path& path_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_start_ = 0;
  std::int64_t line_ = 1;
};

}  // namespace

Csv::Csv(const std::filesystem::path& path) : path_(path) {
  const std::string text = read_utf8(path);
  CsvParser parser(path, text);
  auto header = parser.next();
  if (!header)
    throw DataError(str("csv: the first row must name the columns, got an empty file (", path.string(), ")"));
  header_ = std::move(*header);
  while (auto row = parser.next()) {
    if (row->cells.size() != header_.cells.size())
      throw DataError(str("csv: a row must have ", header_.cells.size(), " cells like the header, got ",
                          row->cells.size(), " (", place_of(*row, 0), ")"));
    rows_.push_back(std::move(*row));
  }
}

std::string Csv::place_of(const CsvRow& row, std::size_t cell) const {
  return place(path_, row.places[cell].line, row.places[cell].column);
}

bool Csv::has(std::string_view name) const {
  const std::string wanted = ascii_lower(trimmed(name));
  return std::any_of(header_.cells.begin(), header_.cells.end(),
                     [&](const std::string& cell) { return ascii_lower(trimmed(cell)) == wanted; });
}

std::size_t Csv::column(std::string_view name) const {
  const std::string wanted = ascii_lower(trimmed(name));
  std::optional<std::size_t> found;
  std::string names;
  for (std::size_t i = 0; i < header_.cells.size(); ++i) {
    names += str(i == 0 ? "" : ", ", excerpt(header_.cells[i]));
    if (ascii_lower(trimmed(header_.cells[i])) != wanted) continue;
    if (found)
      throw DataError(str("csv: column '", name, "' must stand once, got it twice (", place_of(header_, i), ")"));
    found = i;
  }
  if (!found) throw DataError(str("csv: column '", name, "' is missing, got ", names, " (", place_of(header_, 0), ")"));
  return *found;
}

}  // namespace coterie
