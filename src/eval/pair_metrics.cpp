// All measures from one pass over the pairs, sorted by score.
#include "eval/pair_metrics.h"

#include <cmath>
#include <limits>
#include <vector>

#include "eval/tie_groups.h"

namespace coterie::eval {
namespace {

void take_similarities(std::span<const double> scores, std::span<const std::uint8_t> labels, PairMetrics& out) {
  double positive_sum = 0;
  double negative_sum = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) (labels[i] == 1 ? positive_sum : negative_sum) += scores[i];
  out.pos_sim = positive_sum / static_cast<double>(out.positives);
  out.neg_sim = negative_sum / static_cast<double>(out.negatives);
  out.sim_ratio = out.neg_sim == 0 ? std::numeric_limits<double>::infinity() : std::abs(out.pos_sim / out.neg_sim);
}

std::vector<double> as_double(std::span<const float> scores) { return {scores.begin(), scores.end()}; }

}  // namespace

PairMetrics measure(std::span<const double> scores, std::span<const std::uint8_t> labels) {
  const LabelCounts all = count_labels(scores, labels);
  PairMetrics out = measure_ranks(tie_groups(scores, labels), all);
  out.positives = all.positives;
  out.negatives = all.negatives;
  take_similarities(scores, labels, out);
  return out;
}

PairMetrics measure(std::span<const float> scores, std::span<const std::uint8_t> labels) {
  return measure(std::span<const double>(as_double(scores)), labels);
}

FixedThreshold f1_at(std::span<const double> scores, std::span<const std::uint8_t> labels, double threshold) {
  const LabelCounts all = count_labels(scores, labels);
  LabelCounts hits;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (clipped_score(scores[i]) < threshold) continue;
    (labels[i] == 1 ? hits.positives : hits.negatives) += 1;
  }
  return quality_of(hits, all);
}

FixedThreshold f1_at(std::span<const float> scores, std::span<const std::uint8_t> labels, double threshold) {
  return f1_at(std::span<const double>(as_double(scores)), labels, threshold);
}

}  // namespace coterie::eval
