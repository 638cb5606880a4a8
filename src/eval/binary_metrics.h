// Pair classification as sentence-transformers measures it.
#pragma once

#include <cstdint>
#include <span>

namespace coterie::eval {

/// The measures of sentence-transformers' BinaryClassificationEvaluator; its average precision is that of `measure`.
struct BinaryMetrics {
  double accuracy = 0;            ///< the largest over all cuts between two scores
  double accuracy_threshold = 0;  ///< midway between the scores of that cut; -1 if no cut is right about any pair
  double f1 = 0;                  ///< 2 p r / (p + r), the largest over the same cuts
  double f1_threshold = 0;        ///< midway between the scores of that cut; 0 if no cut finds a positive
  double precision = 0;           ///< at the cut of the largest F1
  double recall = 0;              ///< the same
  double mcc = 0;                 ///< Matthews' correlation of label and score >= f1_threshold; 0 if either is constant
};

/// Takes these measures. Of equally good cuts the one between the highest scores counts, and never all pairs or none
/// are predicted, as in sentence-transformers. It also cuts between equal scores, by the order of the rows, and states
/// a threshold that cannot do so; here equal scores stay together, so the order of the pairs does not matter. Without
/// equal scores the results are the same, but for its thresholds in fp32.
///
/// @param labels  0 or 1, as many as scores
/// @throws as `measure`
/// @par Source
/// sentence-transformers 6.2, BinaryClassificationEvaluator, for similarities.
[[nodiscard]] BinaryMetrics measure_binary(std::span<const double> scores, std::span<const std::uint8_t> labels);

}  // namespace coterie::eval
