// How far measures would move on other pairs or queries of the same kind: seeded resampling.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/random.h"
#include "eval/pair_metrics.h"
#include "eval/retrieval_metrics.h"

namespace coterie::eval {

/// The middle 95 % of a resampled measure.
struct Interval {
  double low = 0;
  double high = 0;
};

/// How a measure is resampled.
struct Resampling {
  std::int64_t times = 1000;  ///< at least 1
  RandomKey key;              ///< equal keys resample alike
};

/// A measure of pairs that is resampled.
struct ResampledMeasure {
  std::string_view name;  ///< as in `metrics_json`
  double PairMetrics::*value;
};

inline constexpr std::array<ResampledMeasure, 3> kResampledMeasures = {{
    {"roc_auc", &PairMetrics::roc_auc},
    {"average_precision", &PairMetrics::average_precision},
    {"f1", &PairMetrics::f1},
}};

/// 95 % intervals of `kResampledMeasures`, from percentiles.
///
/// The unit is the pair: positives and negatives are each drawn with replacement, as many as there are, because a split
/// holds as many of the one as of the other by design. Pairs that share a document are not independent, which this does
/// not see: where documents stand in many pairs, the intervals are too narrow.
///
/// @throws as `measure`
/// @par Source
/// Efron 1979; percentile intervals, with linear interpolation between order statistics.
[[nodiscard]] std::array<Interval, 3> bootstrap_pairs(std::span<const double> scores,
                                                      std::span<const std::uint8_t> labels,
                                                      const Resampling& resampling);

/// What two systems differ by on the same pairs or queries.
struct Difference {
  double value = 0;   ///< second less first
  Interval interval;  ///< 95 %, both resampled together
  double p = 1;       ///< two-sided
};

/// Compares two systems on the same pairs by a paired bootstrap, for each of `kResampledMeasures`.
///
/// Pairs are drawn as in `bootstrap_pairs`, the same for both. p is twice the smaller share of resamples in which the
/// difference is at most, or at least, zero, each share with one added to both counts; at most 1. What is said there of
/// pairs that share a document holds for p, too: it is too small.
///
/// @throws as `measure`, for either
[[nodiscard]] std::array<Difference, 3> compare_pairs(std::span<const double> first, std::span<const double> second,
                                                      std::span<const std::uint8_t> labels,
                                                      const Resampling& resampling);

/// Compares two runs on the same queries, for each of `kRetrievalMeasures`.
///
/// The unit is the query. The interval is a bootstrap of the queries; p is that of a paired randomisation test: the
/// share of random exchanges of the two values within queries whose mean difference is at least as large, with one
/// added to both counts.
///
/// @param first, second  the same queries in the same order, at least one
/// @throws DataError if the queries differ
/// @par Source
/// Smucker et al. 2007, "A comparison of statistical significance tests for information retrieval evaluation".
[[nodiscard]] std::array<Difference, kRetrievalMeasures.size()> compare_queries(std::span<const QueryMetrics> first,
                                                                                std::span<const QueryMetrics> second,
                                                                                const Resampling& resampling);

}  // namespace coterie::eval
