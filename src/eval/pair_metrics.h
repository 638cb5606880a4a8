// Pair classification: how well a score tells co-cited pairs from random ones.
#pragma once

#include <cstdint>
#include <span>

namespace coterie::eval {

/// The measures of one set of scored pairs; none depends on the order of the pairs, but for rounding.
struct PairMetrics {
  std::int64_t positives = 0;    ///< pairs with label 1
  std::int64_t negatives = 0;    ///< pairs with label 0
  double f1 = 0;                 ///< the largest over all thresholds
  double precision = 0;          ///< at that threshold
  double recall = 0;             ///< at that threshold
  double threshold = 0;          ///< a pair counts as predicted when its score, clipped to [-1, 1], is at least this
  double sim_ratio = 0;          ///< |pos_sim / neg_sim|; infinite if neg_sim is 0
  double pos_sim = 0;            ///< mean score of the positives
  double neg_sim = 0;            ///< mean score of the negatives
  double roc_auc = 0;            ///< chance that a positive scores higher than a negative, ties counting half
  double average_precision = 0;  ///< sum of (R_n - R_(n-1)) P_n over the distinct scores, from the highest down
};

/// F1 where the threshold was chosen elsewhere.
struct FixedThreshold {
  double f1 = 0;
  double precision = 0;  ///< 0 if nothing reaches the threshold
  double recall = 0;
};

/// Takes all measures of a set of pairs.
///
/// F1 and its threshold are those of the first paper: scores clipped to [-1, 1], every distinct score a threshold,
/// f1 = 2 p r / (p + r + 1e-8), of equal ones the lowest threshold. Similarities, ROC-AUC and average precision take
/// the scores as they are. Equal scores always stand on the same side of a threshold.
///
/// @param labels  0 or 1, as many as scores
/// @throws DataError naming the index of a score that is not finite or of a label that is neither 0 nor 1, or if there
///         is no positive or no negative; ShapeError if the lengths differ
/// @note n log n
/// @par Source
/// P1 (arXiv:2401.15713), evaluation; of scikit-learn `precision_recall_curve`, `roc_auc_score` and
/// `average_precision_score`.
[[nodiscard]] PairMetrics measure(std::span<const double> scores, std::span<const std::uint8_t> labels);

/// The same for fp32 scores, taken to double first.
[[nodiscard]] PairMetrics measure(std::span<const float> scores, std::span<const std::uint8_t> labels);

/// F1, precision and recall when a pair is predicted at `score >= threshold`; formula, clipping, errors as `measure`.
[[nodiscard]] FixedThreshold f1_at(std::span<const double> scores, std::span<const std::uint8_t> labels,
                                   double threshold);

/// The same for fp32 scores, taken to double first.
[[nodiscard]] FixedThreshold f1_at(std::span<const float> scores, std::span<const std::uint8_t> labels,
                                   double threshold);

}  // namespace coterie::eval
