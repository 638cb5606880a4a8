// What scored pairs look like: precision over recall, true over false positives, and the scores themselves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "report/plot.h"

namespace coterie::report {

/// Pairs with their scores, of one model on one split.
struct ScoredPairs {
  std::string model;
  std::vector<double> scores;
  std::vector<std::uint8_t> labels;  ///< 1: co-cited
};

/// How many pairs at or above each distinct score are co-cited, and how many are not, from the highest score down.
struct Counts {
  double score;
  std::int64_t positives;
  std::int64_t negatives;
};
[[nodiscard]] std::vector<Counts> counts_of(const ScoredPairs& pairs);

/// Precision over recall; equal scores are one point.
[[nodiscard]] Series precision_recall(const ScoredPairs& pairs);

/// Share of the co-cited pairs over share of the others, from (0, 0) to (1, 1).
[[nodiscard]] Series receiver_operating(const ScoredPairs& pairs);

/// Where a threshold stands on both curves.
struct AtThreshold {
  Note precision_recall;
  Note receiver_operating;
};
[[nodiscard]] AtThreshold at_threshold(const ScoredPairs& pairs, double threshold, const std::string& text);

/// Shares of the co-cited pairs and of the others in bins of equal width over the range of all scores.
/// @return the series `co-cited` and `random`, as steps
[[nodiscard]] std::vector<Series> similarity_histograms(const ScoredPairs& pairs, int bins);

/// At most so many points of a curve, the first and the last among them, evenly by their number.
[[nodiscard]] Series thinned(Series series, std::size_t most);

}  // namespace coterie::report
