// Scored pairs by score, equal ones together: what no threshold and no rank can tell apart.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "eval/pair_metrics.h"

namespace coterie::eval {

/// How many pairs of each label.
struct LabelCounts {
  std::int64_t positives = 0;
  std::int64_t negatives = 0;

  [[nodiscard]] std::int64_t total() const noexcept { return positives + negatives; }
};

/// The pairs of one score.
struct TieGroup {
  double score = 0;
  LabelCounts counts;
};

/// @throws as `measure`
[[nodiscard]] LabelCounts count_labels(std::span<const double> scores, std::span<const std::uint8_t> labels);

/// Counts pairs of one score into groups from the highest score down.
/// @param score  at most that of the last group
/// @param label  0 or 1
/// @param times  at least 1
void count_pairs(std::vector<TieGroup>& groups, double score, std::uint8_t label, std::int64_t times);

/// From the highest score down.
/// @param scores  finite
[[nodiscard]] std::vector<TieGroup> tie_groups(std::span<const double> scores, std::span<const std::uint8_t> labels);

/// F1 with its precision, recall and threshold, ROC-AUC and average precision, as `measure` defines them; the other
/// fields stay 0.
/// @param groups  from the highest score down, none without a pair
[[nodiscard]] PairMetrics measure_ranks(std::span<const TieGroup> groups, const LabelCounts& all);

/// F1, precision and recall by P1's formula.
/// @param hits  the pairs at or above a threshold
[[nodiscard]] FixedThreshold quality_of(const LabelCounts& hits, const LabelCounts& all);

/// A score as F1 sees it: within [-1, 1].
[[nodiscard]] double clipped_score(double score);

}  // namespace coterie::eval
