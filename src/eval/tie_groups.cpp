// Sorting scored pairs into groups, and what is measured by walking down them.
#include "eval/tie_groups.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace coterie::eval {
namespace {

struct ScoredPair {
  double score;
  std::uint8_t label;
};

// Walks the thresholds from the highest down; of equal F1 the lowest threshold wins, as scikit-learn's order has it.
void take_best_f1(std::span<const TieGroup> groups, const LabelCounts& all, PairMetrics& out) {
  LabelCounts hits;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    hits.positives += groups[i].counts.positives;
    hits.negatives += groups[i].counts.negatives;
    const double threshold = clipped_score(groups[i].score);
    // Scores that were clipped to the same value are one threshold.
    if (i + 1 < groups.size() && clipped_score(groups[i + 1].score) == threshold) continue;
    const FixedThreshold here = quality_of(hits, all);
    if (here.f1 < out.f1) continue;
    out.f1 = here.f1;
    out.precision = here.precision;
    out.recall = here.recall;
    out.threshold = threshold;
  }
}

void take_rank_measures(std::span<const TieGroup> groups, const LabelCounts& all, PairMetrics& out) {
  LabelCounts above;
  double won_twice = 0;  // twice the (positive, negative) pairs in the right order; whole numbers, exact up to 2^53
  for (const TieGroup& group : groups) {
    const auto [positives, negatives] = group.counts;
    won_twice += static_cast<double>(negatives) * static_cast<double>(2 * above.positives + positives);
    above.positives += positives;
    above.negatives += negatives;
    const double precision =
        static_cast<double>(above.positives) / static_cast<double>(above.positives + above.negatives);
    out.average_precision += precision * static_cast<double>(positives) / static_cast<double>(all.positives);
  }
  out.roc_auc = won_twice / (2 * static_cast<double>(all.positives) * static_cast<double>(all.negatives));
}

}  // namespace

LabelCounts count_labels(std::span<const double> scores, std::span<const std::uint8_t> labels) {
  COTERIE_CHECK(ShapeError, scores.size() == labels.size(), "pair metrics: as many labels as scores are needed (",
                scores.size(), "), got ", labels.size());
  LabelCounts counts;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!std::isfinite(scores[i]))
      throw DataError(str("pair metrics: a score must be finite, got ", scores[i], " (pair ", i, ")"));
    if (labels[i] > 1)
      throw DataError(str("pair metrics: a label must be 0 or 1, got ", int{labels[i]}, " (pair ", i, ")"));
    (labels[i] == 1 ? counts.positives : counts.negatives) += 1;
  }
  if (counts.positives == 0 || counts.negatives == 0)
    throw DataError(str("pair metrics: at least one positive and one negative pair are needed, got ", counts.positives,
                        " and ", counts.negatives));
  return counts;
}

double clipped_score(double score) { return std::clamp(score, -1.0, 1.0); }

void count_pairs(std::vector<TieGroup>& groups, double score, std::uint8_t label, std::int64_t times) {
  if (groups.empty() || groups.back().score != score) groups.push_back({score, {}});
  (label == 1 ? groups.back().counts.positives : groups.back().counts.negatives) += times;
}

std::vector<TieGroup> tie_groups(std::span<const double> scores, std::span<const std::uint8_t> labels) {
  std::vector<ScoredPair> pairs;
  pairs.reserve(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) pairs.push_back({scores[i], labels[i]});
  std::sort(pairs.begin(), pairs.end(), [](const ScoredPair& a, const ScoredPair& b) { return a.score > b.score; });
  std::vector<TieGroup> groups;
  for (const ScoredPair& pair : pairs) count_pairs(groups, pair.score, pair.label, 1);
  return groups;
}

FixedThreshold quality_of(const LabelCounts& hits, const LabelCounts& all) {
  constexpr double kEpsilon = 1e-8;  // P1's, part of its definition
  FixedThreshold out;
  const std::int64_t predicted = hits.total();
  if (predicted > 0) out.precision = static_cast<double>(hits.positives) / static_cast<double>(predicted);
  out.recall = static_cast<double>(hits.positives) / static_cast<double>(all.positives);
  out.f1 = 2 * out.precision * out.recall / (out.precision + out.recall + kEpsilon);
  return out;
}

PairMetrics measure_ranks(std::span<const TieGroup> groups, const LabelCounts& all) {
  PairMetrics out;
  take_best_f1(groups, all, out);
  take_rank_measures(groups, all, out);
  return out;
}

}  // namespace coterie::eval
