// Pair classification as sentence-transformers measures it.
#pragma once

#include <cstdint>
#include <span>

namespace coterie::eval {

/// The measures of sentence-transformers' BinaryClassificationEvaluator; its average precision is that of `measure`.
struct BinaryMetrics {
  double accuracy = 0;            ///< the largest over all cuts; predicting all pairs, or none, is a cut too
  double accuracy_threshold = 0;  ///< midway between the scores of that cut; of all the lowest score, of none the
                                  ///< double above the highest
  double f1 = 0;                  ///< 2 p r / (p + r), the largest over the same cuts
  double f1_threshold = 0;        ///< as of accuracy
  double precision = 0;           ///< at the cut of the largest F1
  double recall = 0;              ///< the same
  double mcc = 0;                 ///< Matthews' correlation of label and score >= f1_threshold; 0 if either is constant
};

/// Takes these measures. Of equally good cuts the one at the highest scores counts. Equal scores stay together, so the
/// order of the pairs does not matter. Where the midpoint of two neighbouring doubles is the lower one, the threshold
/// is the higher.
///
/// @param labels  0 or 1, as many as scores
/// @throws as `measure`
/// @par Source
/// sentence-transformers 6.2.0, BinaryClassificationEvaluator, for similarities; its thresholds are of the scores'
/// precision. Older versions cut between equal scores, too, by the order of the rows, and never predicted all or none.
[[nodiscard]] BinaryMetrics measure_binary(std::span<const double> scores, std::span<const std::uint8_t> labels);

}  // namespace coterie::eval
