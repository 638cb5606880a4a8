// Reading of relevance judgements.
#include "data/judgements.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/text.h"

namespace coterie::data {
namespace {

std::vector<std::string_view> columns_at_tabs(std::string_view line) {
  std::vector<std::string_view> columns;
  while (true) {
    const std::size_t end = std::min(line.find('\t'), line.size());
    columns.push_back(trimmed(line.substr(0, end)));
    if (end == line.size()) return columns;
    line.remove_prefix(end + 1);
  }
}

std::int64_t grade_of(std::string_view word, const std::string& where) {
  std::int64_t grade = 0;
  const char* const end = word.data() + word.size();
  const auto result = std::from_chars(word.data(), end, grade);
  if (word.empty() || result.ec != std::errc{} || result.ptr != end)
    throw DataError(str("judgements: a grade must be an integer, got ", excerpt(word), " (", where, ")"));
  return grade;
}

}  // namespace

std::vector<JudgementLine> read_judgements(const std::filesystem::path& path) {
  const std::string text = read_utf8(path);
  LineReader lines(text);
  std::vector<JudgementLine> judgements;
  bool beir = false;
  while (const auto line = lines.next()) {
    if (trimmed(*line).empty()) continue;
    if (lines.number() == 1 && columns_at_tabs(*line).size() == 3) {
      beir = true;
      continue;
    }
    const auto columns = beir ? columns_at_tabs(*line) : words(*line);
    const std::string where = place(path, lines.number());
    const std::size_t wanted = beir ? 3 : 4;
    if (columns.size() != wanted || columns[0].empty() || columns[wanted - 2].empty())
      throw DataError(str("judgements: a line must be ", beir ? "query, document and grade between tabs" : "four words",
                          ", got ", excerpt(*line), " (", where, ")"));
    judgements.push_back({std::string(columns[0]), std::string(columns[wanted - 2]),
                          grade_of(columns[wanted - 1], where), lines.number()});
  }
  return judgements;
}

}  // namespace coterie::data
