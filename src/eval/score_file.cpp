// The columns of a CSV file that are wanted.
#include "eval/score_file.h"

#include "base/csv.h"
#include "base/error.h"
#include "base/excerpt.h"
#include "base/numbers.h"

namespace coterie::eval {
namespace {

double prediction_of(const std::string& cell, const std::string& place) {
  if (const auto value = finite_number(cell)) return *value;
  throw DataError(str("score file: prediction must be a finite number, got ", excerpt(cell), " (", place, ")"));
}

std::uint8_t label_of(const std::string& cell, const std::string& place) {
  if (cell != "0" && cell != "1")
    throw DataError(str("score file: label must be 0 or 1, got ", excerpt(cell), " (", place, ")"));
  return cell == "1" ? 1 : 0;
}

}  // namespace

ScoreFile ScoreFile::of_domain(const std::string& wanted) const {
  ScoreFile chosen;
  for (std::size_t i = 0; i < domains.size(); ++i) {
    if (domains[i] != wanted) continue;
    chosen.predictions.push_back(predictions[i]);
    chosen.labels.push_back(labels[i]);
    chosen.domains.push_back(domains[i]);
    if (!pairs.empty()) chosen.pairs.push_back(pairs[i]);
  }
  return chosen;
}

ScoreFile read_score_file(const std::filesystem::path& path) {
  const Csv csv(path);
  const std::size_t prediction = csv.column("prediction");
  const std::size_t label = csv.column("label");
  if (csv.rows().empty())
    throw DataError(str("score file: at least one row is needed after the header, got none (", path.string(), ")"));
  const bool named = csv.has("a") && csv.has("b");
  const bool by_domain = csv.has("domain");
  ScoreFile out;
  for (const CsvRow& row : csv.rows()) {
    out.predictions.push_back(prediction_of(row.cells[prediction], csv.place_of(row, prediction)));
    out.labels.push_back(label_of(row.cells[label], csv.place_of(row, label)));
    if (named) out.pairs.emplace_back(row.cells[csv.column("a")], row.cells[csv.column("b")]);
    if (by_domain) out.domains.push_back(row.cells[csv.column("domain")]);
  }
  return out;
}

}  // namespace coterie::eval
