// One walk over the cuts between distinct scores.
#include "eval/binary_metrics.h"

#include <cmath>
#include <limits>
#include <vector>

#include "eval/tie_groups.h"

namespace coterie::eval {
namespace {

double ratio(std::int64_t part, std::int64_t whole) { return static_cast<double>(part) / static_cast<double>(whole); }

double between(double high, double low) {
  const double middle = (high + low) / 2;
  return middle == low ? high : middle;
}

// What is right and what is wrong about predicting `hits`.
double matthews(const LabelCounts& hits, const LabelCounts& all) {
  const auto tp = static_cast<double>(hits.positives);
  const auto fp = static_cast<double>(hits.negatives);
  const double fn = static_cast<double>(all.positives) - tp;
  const double tn = static_cast<double>(all.negatives) - fp;
  const double norm = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn);
  return norm == 0 ? 0 : (tp * tn - fp * fn) / std::sqrt(norm);
}

}  // namespace

BinaryMetrics measure_binary(std::span<const double> scores, std::span<const std::uint8_t> labels) {
  const LabelCounts all = count_labels(scores, labels);
  const std::vector<TieGroup> groups = tie_groups(scores, labels);
  // No pair is predicted.
  BinaryMetrics best{.accuracy = ratio(all.negatives, all.total()),
                     .accuracy_threshold = std::nextafter(groups[0].score, std::numeric_limits<double>::infinity())};
  LabelCounts hits;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    hits.positives += groups[i].counts.positives;
    hits.negatives += groups[i].counts.negatives;
    const double threshold = i + 1 < groups.size() ? between(groups[i].score, groups[i + 1].score) : groups[i].score;
    const double accuracy = ratio(hits.positives + all.negatives - hits.negatives, all.total());
    if (accuracy > best.accuracy) {
      best.accuracy = accuracy;
      best.accuracy_threshold = threshold;
    }
    if (hits.positives == 0) continue;
    const double precision = ratio(hits.positives, hits.total());
    const double recall = ratio(hits.positives, all.positives);
    const double f1 = 2 * precision * recall / (precision + recall);
    if (f1 <= best.f1) continue;
    best.f1 = f1;
    best.f1_threshold = threshold;
    best.precision = precision;
    best.recall = recall;
  }
  LabelCounts predicted;
  for (const TieGroup& group : groups) {
    if (group.score < best.f1_threshold) break;
    predicted.positives += group.counts.positives;
    predicted.negatives += group.counts.negatives;
  }
  best.mcc = matthews(predicted, all);
  return best;
}

}  // namespace coterie::eval
