// coterie score: the measures of a file of scored pairs or of a run file, and what two of them differ by.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file_ops.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "config/config.h"
#include "eval/metrics_table.h"
#include "eval/retrieval_metrics.h"
#include "eval/score_file.h"

namespace coterie::cli {

/// Settings of `coterie score`.
struct ScoreOptions {
  std::string json;
  std::int64_t resamples = 1000;
  std::int64_t seed = 0;
};

inline void describe(config::Visitor& v, ScoreOptions& o) {
  v.field("json", o.json, "also write the measures to this file as JSON; empty: do not");
  v.field("resamples", o.resamples, "of documents, pairs or queries, for 95 % intervals and p", {1, 1000000});
  v.field("seed", o.seed, "of the resampling", {0, INT64_MAX});
}

namespace {

eval::Resampling resampling_of(const ScoreOptions& options) {
  return {options.resamples, RandomKey{static_cast<std::uint64_t>(options.seed)}.derive("bootstrap")};
}

// None where the file does not name them.
eval::PairDocuments documents_of(const eval::ScoreFile& file) {
  eval::PairDocuments documents;
  for (std::size_t i = 0; i < file.pairs.size(); ++i)
    documents.add(file.domains.empty() ? "" : file.domains[i], file.pairs[i].first, file.pairs[i].second);
  return documents;
}

std::string resampled_unit(const eval::ScoreFile& file) { return file.pairs.empty() ? "pairs" : "documents"; }

nlohmann::ordered_json score_pairs(const std::string& path, const ScoreOptions& options) {
  const eval::ScoreFile file = eval::read_score_file(path);
  const eval::NamedMetrics row{path, eval::measure(file.predictions, file.labels)};
  std::cout << eval::metrics_table("file", std::span(&row, 1)).text();
  nlohmann::ordered_json json = eval::metrics_json(row.metrics);
  json["sentence_transformers"] = eval::binary_json(eval::measure_binary(file.predictions, file.labels));
  json["intervals"] = eval::intervals_json(
      eval::bootstrap_pairs(file.predictions, file.labels, documents_of(file), resampling_of(options)));
  json["resampled"] = resampled_unit(file);
  return json;
}

nlohmann::ordered_json score_run(const std::string& run, const std::string& qrels) {
  const auto measured = eval::measure_queries(eval::read_run(run), eval::read_qrels(qrels));
  const eval::NamedRetrieval row{{run}, measured.size(), eval::mean(measured)};
  std::cout << eval::retrieval_table({"file"}, std::span(&row, 1)).text();
  return eval::retrieval_json(row);
}

// Everything that two files must share to be compared pair by pair.
void expect_same_pairs(const eval::ScoreFile& first, const eval::ScoreFile& second, const std::string& names) {
  if (first.labels != second.labels || first.pairs != second.pairs || first.domains != second.domains)
    throw DataError(str("score: two files must hold the same pairs in the same order, got ", first.labels.size(),
                        " and ", second.labels.size(), ", not all in common (", names, ")"));
}

bool has_both_labels(const eval::ScoreFile& file) {
  return std::count(file.labels.begin(), file.labels.end(), file.labels.front()) != std::ssize(file.labels);
}

// In the order of the file.
std::vector<std::string> measurable_domains(const eval::ScoreFile& file) {
  std::vector<std::string> seen;
  for (const std::string& domain : file.domains)
    if (std::find(seen.begin(), seen.end(), domain) == seen.end()) seen.push_back(domain);
  std::erase_if(seen, [&](const std::string& domain) { return !has_both_labels(file.of_domain(domain)); });
  return seen;
}

// The rows of a part of the pairs, below those of the parts before.
void add_part(Table& table, const std::string& name, const Table& part) {
  for (std::vector<std::string> cells : part.cells()) {
    cells.insert(cells.begin(), name);
    table.add_row(std::move(cells));
  }
}

nlohmann::ordered_json compare_pairs(const std::string& first, const std::string& second, const ScoreOptions& options) {
  eval::ScoreFile one = eval::read_score_file(first);
  eval::ScoreFile two = eval::read_score_file(second);
  // What one file alone tells of domains cannot be held against the other.
  if (one.domains.empty() != two.domains.empty())
    log::warn(str("score: one file has no column 'domain', so that pairs are compared without domains (",
                  one.domains.empty() ? first : second, ")"));
  if (one.domains.empty() || two.domains.empty()) {
    one.domains.clear();
    two.domains.clear();
  }
  expect_same_pairs(one, two, str(first, ", ", second));
  std::vector<std::string_view> names;
  for (const eval::ResampledMeasure& measure : eval::kResampledMeasures) names.push_back(measure.name);
  Table table({"domain", "measure", "difference", "low", "high", "p"});
  const auto compare = [&](const std::string& name, const eval::ScoreFile& here, const eval::ScoreFile& there) {
    const auto differences = eval::compare_pairs(here.predictions, there.predictions, here.labels, documents_of(here),
                                                 resampling_of(options));
    add_part(table, name, eval::difference_table(names, differences));
    return eval::difference_json(names, differences);
  };
  nlohmann::ordered_json json = compare("all", one, two);
  json["resampled"] = resampled_unit(one);
  for (const std::string& domain : measurable_domains(one))
    json["domains"][domain] = compare(domain, one.of_domain(domain), two.of_domain(domain));
  std::cout << table.text() << "\nresampled: " << resampled_unit(one)
            << (one.pairs.empty() ? ", no columns a and b name documents: too narrow where pairs share them\n" : "\n");
  return json;
}

// A run that finds nothing for a query has no line for it; beside one that answers the query it counts zero.
void add_unanswered(eval::Ranking& run, const eval::Ranking& other, const std::string& name) {
  const std::size_t answered = run.queries.size();
  for (const auto& [query, found] : other.queries) run.queries.try_emplace(query);
  if (const std::size_t added = run.queries.size() - answered; added > 0)
    log::warn(str("score: ", added, " queries count zero, the other file alone answers them (", name, ")"));
}

nlohmann::ordered_json compare_runs(const std::string& first, const std::string& second, const std::string& judged,
                                    const ScoreOptions& options) {
  const eval::Qrels qrels = eval::read_qrels(judged);
  eval::Ranking run_one = eval::read_run(first);
  eval::Ranking run_two = eval::read_run(second);
  add_unanswered(run_one, run_two, first);
  add_unanswered(run_two, run_one, second);
  const auto one = eval::measure_queries(run_one, qrels);
  const auto two = eval::measure_queries(run_two, qrels);
  std::vector<std::string_view> names;
  for (const eval::RetrievalMeasure& measure : eval::kRetrievalMeasures) names.push_back(measure.name);
  const auto differences = eval::compare_queries(one, two, resampling_of(options));
  std::cout << eval::difference_table(names, differences).text();
  return eval::difference_json(names, differences);
}

nlohmann::ordered_json score_files(const std::vector<std::string>& files, const ScoreOptions& options) {
  if (files.size() == 1) return score_pairs(files[0], options);
  if (files.size() == 3) return compare_runs(files[0], files[1], files[2], options);
  return files[0].ends_with(".csv") ? compare_pairs(files[0], files[1], options) : score_run(files[0], files[1]);
}

}  // namespace

Exit score(const CommandLine& line) {
  line.expect(1, 3);
  const auto options = config::read<ScoreOptions>(config::compose(line.settings));
  expect_json_writable(options.json);
  write_json(options.json, score_files(line.positional, options).dump(2));
  return Exit::ok;
}

}  // namespace coterie::cli
