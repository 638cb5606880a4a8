// coterie score: the measures of a file of scored pairs.
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file_ops.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "config/config.h"
#include "eval/metrics_table.h"
#include "eval/score_file.h"

namespace coterie::cli {

/// Settings of `coterie score`.
struct ScoreOptions {
  std::string json;
};

inline void describe(config::Visitor& v, ScoreOptions& o) {
  v.field("json", o.json, "also write the measures to this file as JSON; empty: do not");
}

Exit score(const CommandLine& line) {
  line.expect(1, 1);
  const auto options = config::read<ScoreOptions>(config::compose(line.settings));
  expect_json_writable(options.json);
  const eval::ScoreFile file = eval::read_score_file(line.positional[0]);
  const eval::NamedMetrics row{line.positional[0], eval::measure(file.predictions, file.labels)};
  std::cout << eval::metrics_table("file", std::span(&row, 1)).text();
  write_json(options.json, eval::metrics_json(row.metrics).dump(2));
  return Exit::ok;
}

}  // namespace coterie::cli
