// A CSV reader that knows where every field stands, and the two columns that are wanted from it.
#include "eval/score_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/file_ops.h"

namespace coterie::eval {
namespace {

struct Place {
  std::size_t line = 1;
  std::size_t column = 1;
};

struct Field {
  std::string text;
  Place place;
};

/// Splits text into rows of fields; a quoted field may hold commas, quotes and line ends.
class CsvReader {
 public:
  CsvReader(std::string_view text, std::string path) : text_(text), path_(std::move(path)) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text_.substr(0, kByteOrderMark.size()) == kByteOrderMark) text_.remove_prefix(kByteOrderMark.size());
  }

  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }

  /// The next row; the end of its line is taken too.
  std::vector<Field> row() {
    std::vector<Field> fields;
    do {
      fields.push_back(field());
    } while (take(","));
    if (!at_end() && !take("\r\n") && !take("\n"))
      fail(str("a field must be followed by ',' or the end of the line, got ", excerpt(text_.substr(at_, 1))), here());
    return fields;
  }

  [[noreturn]] void fail(const std::string& what, const Place& place) const {
    throw DataError(str("score file: ", what, " (", path_, ":", place.line, ":", place.column, ")"));
  }

 private:
  Field field() {
    Field out{{}, here()};
    if (take("\"")) {
      read_quoted(out);
      return out;
    }
    const std::size_t end = std::min(text_.find_first_of(",\r\n\"", at_), text_.size());
    out.text = text_.substr(at_, end - at_);
    at_ = end;
    return out;
  }

  // After the opening quote, up to and with the closing one.
  void read_quoted(Field& out) {
    while (!at_end()) {
      if (take("\"\"")) {
        out.text += '"';
        continue;
      }
      if (take("\"")) return;
      const std::string_view next = text_.substr(at_, 1);
      out.text += next;
      take(next);
    }
    fail("a quoted field must be closed, got the end of the file", out.place);
  }

  bool take(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    if (expected.back() == '\n') {
      ++line_;
      line_start_ = at_;
    }
    return true;
  }

  [[nodiscard]] Place here() const { return {line_, at_ - line_start_ + 1}; }

  std::string_view text_;
  std::string path_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t line_start_ = 0;
};

std::size_t column_of(const CsvReader& reader, const std::vector<Field>& header, std::string_view name) {
  std::size_t found = header.size();
  std::string all;
  for (std::size_t i = 0; i < header.size(); ++i) {
    all += (i == 0 ? "" : ",") + header[i].text;
    if (header[i].text != name) continue;
    if (found != header.size())
      reader.fail(str("column '", name, "' must be there once, got it twice"), header[i].place);
    found = i;
  }
  if (found == header.size())
    reader.fail(str("the header must have the columns prediction and label, got ", excerpt(all)), {1, 1});
  return found;
}

double prediction_of(const CsvReader& reader, const Field& field) {
  double value = 0;
  const char* end = field.text.data() + field.text.size();
  const auto result = std::from_chars(field.text.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end || !std::isfinite(value))
    reader.fail(str("prediction must be a finite number, got ", excerpt(field.text)), field.place);
  return value;
}

std::uint8_t label_of(const CsvReader& reader, const Field& field) {
  if (field.text != "0" && field.text != "1")
    reader.fail(str("label must be 0 or 1, got ", excerpt(field.text)), field.place);
  return field.text == "1" ? 1 : 0;
}

}  // namespace

ScoreFile read_score_file(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  CsvReader reader(text, path.string());
  const std::vector<Field> header = reader.row();
  const std::size_t prediction = column_of(reader, header, "prediction");
  const std::size_t label = column_of(reader, header, "label");
  ScoreFile out;
  while (!reader.at_end()) {
    const std::vector<Field> row = reader.row();
    if (row.size() != header.size())
      reader.fail(str("a row must have as many fields as the header (", header.size(), "), got ", row.size()),
                  row.front().place);
    out.predictions.push_back(prediction_of(reader, row[prediction]));
    out.labels.push_back(label_of(reader, row[label]));
  }
  if (out.labels.empty()) reader.fail("at least one row is needed after the header, got none", {2, 1});
  return out;
}

}  // namespace coterie::eval
