// How far measures would move on other pairs or queries of the same kind: seeded resampling.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

/// The documents of scored pairs: what is drawn, because pairs that share a document are not independent.
class PairDocuments {
 public:
  /// Appends a pair. A document is drawn among those of its domain, and ids of two domains are two documents.
  void add(const std::string& domain, const std::string& a, const std::string& b);

  /// How many were added.
  [[nodiscard]] std::size_t pairs() const noexcept { return pairs_.size(); }

  /// How often each pair occurs when from every domain as many documents are drawn as it has, with replacement: the
  /// product of how often its two documents were drawn.
  [[nodiscard]] std::vector<std::int64_t> draw(RandomKey key) const;

 private:
  /// The documents of one domain, by id and as they came.
  struct Domain {
    std::map<std::string, std::size_t> number_of;
    std::vector<std::size_t> members;
  };
  [[nodiscard]] std::size_t number_of(const std::string& id, Domain& domain);

  std::size_t documents_ = 0;
  std::map<std::string, Domain> domains_;
  std::vector<std::pair<std::size_t, std::size_t>> pairs_;
};

/// 95 % intervals of `kResampledMeasures`, from percentiles.
///
/// The unit is the document; a draw that leaves no positive or no negative pair is drawn again. The labels keep the
/// ratio that they have in the file, because a split holds as many of the one as of the other by design, and AP and F1
/// would otherwise move with the ratio of a draw. Somewhat conservative: what is a pair's own, and of neither of its
/// documents, has three times its variance, so where no two pairs share a document an interval is sqrt(3) times as wide
/// as it need be.
///
/// @param documents  of the pairs; of none, the pairs themselves are drawn, positives and negatives each among
///                   themselves: too narrow where pairs share documents
/// @throws as `measure`; ShapeError if the documents are of another number of pairs
/// @par Source
/// Snijders and Borgatti 1999, "Non-parametric standard errors and tests for network statistics", Connections 22(2):
/// the bootstrap of vertices; they fill in the pairs of a vertex drawn twice with itself, here there are none.
/// Percentile intervals (Efron 1979) with linear interpolation between order statistics.
[[nodiscard]] std::array<Interval, 3> bootstrap_pairs(std::span<const double> scores,
                                                      std::span<const std::uint8_t> labels,
                                                      const PairDocuments& documents, const Resampling& resampling);

/// What two systems differ by on the same pairs or queries.
struct Difference {
  double value = 0;   ///< second less first
  Interval interval;  ///< 95 %, both resampled together
  double p = 1;       ///< two-sided
};

/// Compares two systems on the same pairs by a paired bootstrap, for each of `kResampledMeasures`.
///
/// Draws are those of `bootstrap_pairs`, the same for both. p is twice the smaller share of resamples in which the
/// difference is at most, or at least, zero, each share with one added to both counts; at most 1. Where intervals are
/// too wide or too narrow, p is too large or too small.
///
/// @throws as `bootstrap_pairs`, for either
[[nodiscard]] std::array<Difference, 3> compare_pairs(std::span<const double> first, std::span<const double> second,
                                                      std::span<const std::uint8_t> labels,
                                                      const PairDocuments& documents, const Resampling& resampling);

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
