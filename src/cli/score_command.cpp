// coterie score: the measures of a file of scored pairs, or of a run file.
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file_ops.h"
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
};

inline void describe(config::Visitor& v, ScoreOptions& o) {
  v.field("json", o.json, "also write the measures to this file as JSON; empty: do not");
}

namespace {

nlohmann::ordered_json score_pairs(const std::string& path) {
  const eval::ScoreFile file = eval::read_score_file(path);
  const eval::NamedMetrics row{path, eval::measure(file.predictions, file.labels)};
  std::cout << eval::metrics_table("file", std::span(&row, 1)).text();
  return eval::metrics_json(row.metrics);
}

nlohmann::ordered_json score_run(const std::string& run, const std::string& qrels) {
  const auto measured = eval::measure_queries(eval::read_run(run), eval::read_qrels(qrels));
  const eval::NamedRetrieval row{{run}, measured.size(), eval::mean(measured)};
  std::cout << eval::retrieval_table({"file"}, std::span(&row, 1)).text();
  return eval::retrieval_json(row);
}

}  // namespace

Exit score(const CommandLine& line) {
  line.expect(1, 2);
  const auto options = config::read<ScoreOptions>(config::compose(line.settings));
  expect_json_writable(options.json);
  const auto& files = line.positional;
  const auto json = files.size() == 1 ? score_pairs(files[0]) : score_run(files[0], files[1]);
  write_json(options.json, json.dump(2));
  return Exit::ok;
}

}  // namespace coterie::cli
