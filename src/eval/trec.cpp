// Reading and writing of run files and judgements.
#include "eval/trec.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/numbers.h"
#include "base/text.h"
#include "data/judgements.h"

namespace coterie::eval {
namespace {

float score_of(std::string_view word, const std::string& where) {
  const auto score = finite_number(word);
  if (!score || !std::isfinite(static_cast<float>(*score)))
    throw DataError(str("run: a score must be a finite number, got ", excerpt(word), " (", where, ")"));
  return static_cast<float>(*score);
}

const std::string& word(const std::string& id, const std::filesystem::path& path) {
  if (id.empty() || id.find_first_of(" \t\r\n") != std::string::npos)
    throw DataError(str("trec: an id must be one word, got ", excerpt(id), " (", path.string(), ")"));
  return id;
}

}  // namespace

bool ranks_before(const Found& x, const Found& y) {
  return x.score != y.score ? x.score > y.score : x.document > y.document;
}

Ranking read_run(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  LineReader lines(text);
  Ranking run;
  std::map<std::string, std::unordered_set<std::string>> seen;
  while (const auto line = lines.next()) {
    const auto columns = words(*line);
    if (columns.empty()) continue;
    const std::string where = place(path, lines.number());
    if (columns.size() != 6)
      throw DataError(str("run: a line must be six words, query Q0 document rank score tag, got ", columns.size(), ": ",
                          excerpt(*line), " (", where, ")"));
    const std::string query(columns[0]);
    std::string document(columns[2]);
    if (!seen[query].insert(document).second)
      throw DataError(str("run: a document must stand once for a query, got ", excerpt(document), " again for ",
                          excerpt(query), " (", where, ")"));
    run.queries[query].push_back({std::move(document), score_of(columns[4], where)});
  }
  for (auto& [query, found] : run.queries) std::sort(found.begin(), found.end(), ranks_before);
  return run;
}

Qrels read_qrels(const std::filesystem::path& path) {
  Qrels qrels;
  for (const data::JudgementLine& line : data::read_judgements(path)) {
    const auto [known, added] = qrels.queries[line.query].emplace(line.document, line.grade);
    if (known->second != line.grade)
      throw DataError(str("qrels: a document must have one grade for a query, ", known->second, " before, got ",
                          line.grade, " for ", excerpt(line.document), " (", place(path, line.line), ")"));
  }
  if (qrels.queries.empty()) throw DataError(str("qrels: at least one judgement is needed (", path.string(), ")"));
  return qrels;
}

void write_run(FileOps& ops, const std::filesystem::path& path, const Ranking& run, const std::string& tag) {
  std::string name = tag;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }, '_');
  std::string text;
  for (const auto& [query, found] : run.queries)
    for (std::size_t i = 0; i < found.size(); ++i)
      text += str(word(query, path), " Q0 ", word(found[i].document, path), ' ', i + 1, ' ', exact_text(found[i].score),
                  ' ', name, '\n');
  write_file_atomically(ops, path, text);
}

void write_qrels(FileOps& ops, const std::filesystem::path& path, const Qrels& qrels) {
  std::string text;
  for (const auto& [query, documents] : qrels.queries)
    for (const auto& [document, grade] : documents)
      text += str(word(query, path), " 0 ", word(document, path), ' ', grade, '\n');
  write_file_atomically(ops, path, text);
}

}  // namespace coterie::eval
