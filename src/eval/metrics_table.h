// How measures are shown: a text table for people, JSON for scripts.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/table.h"
#include "eval/pair_metrics.h"
#include "eval/retrieval_metrics.h"

namespace coterie::eval {

/// Measures of one thing: a file, a domain, a model.
struct NamedMetrics {
  std::string name;
  PairMetrics metrics;
};

/// One row for each, with four decimals.
///
/// @param subject  header of the first column, for example `domain`
[[nodiscard]] Table metrics_table(const std::string& subject, std::span<const NamedMetrics> rows);

/// An object with every measure under the name it has in `PairMetrics`, in that order, numbers in full precision.
/// JSON has no infinity: such a ratio becomes null.
[[nodiscard]] nlohmann::ordered_json metrics_json(const PairMetrics& metrics);

/// Mean measures of one run.
struct NamedRetrieval {
  std::vector<std::string> subject;  ///< what was measured: a cell for each of the table's first columns
  std::size_t queries = 0;
  RetrievalMetrics means;
};

/// One row for each, with four decimals.
/// @param subject  headers of the first columns
[[nodiscard]] Table retrieval_table(std::vector<std::string> subject, std::span<const NamedRetrieval> rows);

/// An object with the number of queries and every measure under its name, in full precision.
[[nodiscard]] nlohmann::ordered_json retrieval_json(const NamedRetrieval& row);

}  // namespace coterie::eval
