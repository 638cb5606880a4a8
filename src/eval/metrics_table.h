// How measures are shown: a text table for people, JSON for scripts.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/table.h"
#include "eval/binary_metrics.h"
#include "eval/bootstrap.h"
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

/// The measures of the other convention, under the names they have in `BinaryMetrics`.
[[nodiscard]] nlohmann::ordered_json binary_json(const BinaryMetrics& metrics);

/// Measure -> [low, high].
[[nodiscard]] nlohmann::ordered_json intervals_json(const std::array<Interval, 3>& intervals);

/// A row for each measure: difference, its 95 % interval, and p.
/// @param names  of the measures, as many as differences
[[nodiscard]] Table difference_table(std::span<const std::string_view> names, std::span<const Difference> differences);

/// Measure -> difference, low, high and p.
[[nodiscard]] nlohmann::ordered_json difference_json(std::span<const std::string_view> names,
                                                     std::span<const Difference> differences);

/// Mean measures of one run.
struct NamedRetrieval {
  std::vector<std::string> subject;  ///< what was measured: a cell for each of the table's first columns
  std::size_t queries = 0;
  RetrievalMetrics means;
  std::size_t documents = 0;  ///< that were searched; 0: not known
};

/// One row for each, with four decimals.
/// @param subject  headers of the first columns
[[nodiscard]] Table retrieval_table(std::vector<std::string> subject, std::span<const NamedRetrieval> rows);

/// An object with the number of queries and every measure under its name, in full precision.
[[nodiscard]] nlohmann::ordered_json retrieval_json(const NamedRetrieval& row);

}  // namespace coterie::eval
