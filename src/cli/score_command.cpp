// coterie score: the measures of a file of scored pairs or of a run file, and what two of them differ by.
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
  v.field("resamples", o.resamples, "of pairs or queries, for 95 % intervals and p", {1, 1000000});
  v.field("seed", o.seed, "of the resampling", {0, INT64_MAX});
}

namespace {

eval::Resampling resampling_of(const ScoreOptions& options) {
  return {options.resamples, RandomKey{static_cast<std::uint64_t>(options.seed)}.derive("bootstrap")};
}

nlohmann::ordered_json score_pairs(const std::string& path, const ScoreOptions& options) {
  const eval::ScoreFile file = eval::read_score_file(path);
  const eval::NamedMetrics row{path, eval::measure(file.predictions, file.labels)};
  std::cout << eval::metrics_table("file", std::span(&row, 1)).text();
  nlohmann::ordered_json json = eval::metrics_json(row.metrics);
  json["sentence_transformers"] = eval::binary_json(eval::measure_binary(file.predictions, file.labels));
  json["intervals"] =
      eval::intervals_json(eval::bootstrap_pairs(file.predictions, file.labels, resampling_of(options)));
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
  if (first.labels != second.labels || first.pairs != second.pairs)
    throw DataError(str("score: two files must hold the same pairs in the same order, got ", first.labels.size(),
                        " and ", second.labels.size(), ", not all in common (", names, ")"));
}

nlohmann::ordered_json show(const std::vector<std::string_view>& names, std::span<const eval::Difference> differences) {
  std::cout << eval::difference_table(names, differences).text();
  return eval::difference_json(names, differences);
}

nlohmann::ordered_json compare_pairs(const std::string& first, const std::string& second, const ScoreOptions& options) {
  const eval::ScoreFile one = eval::read_score_file(first);
  const eval::ScoreFile two = eval::read_score_file(second);
  expect_same_pairs(one, two, str(first, ", ", second));
  std::vector<std::string_view> names;
  for (const eval::ResampledMeasure& measure : eval::kResampledMeasures) names.push_back(measure.name);
  return show(names, eval::compare_pairs(one.predictions, two.predictions, one.labels, resampling_of(options)));
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
  return show(names, eval::compare_queries(one, two, resampling_of(options)));
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
