// How measures are shown: a text table for people, JSON for scripts.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "base/table.h"
#include "eval/pair_metrics.h"

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

}  // namespace coterie::eval
