// Resampling against explicit resamples, fresh samples, DeLong's variance, and an exact test.
#include "eval/bootstrap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/str.h"

namespace coterie::eval {
namespace {

using Scores = std::vector<double>;
using Labels = std::vector<std::uint8_t>;

struct Sample {
  Scores scores;
  Labels labels;
};

// Positives score a standard deviation higher.
Sample normal_sample(int pairs, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> noise(0, 0.1);
  Sample sample;
  for (int i = 0; i < pairs; ++i) {
    sample.labels.push_back(i % 2 == 0 ? 1 : 0);
    sample.scores.push_back(noise(generator) + (i % 2 == 0 ? 0.1 : 0.0));
  }
  return sample;
}

// The standard error of ROC-AUC from how often each pair wins (DeLong et al. 1988), an O(n^2) count.
double delong_error(const Sample& sample) {
  std::vector<double> wins_of_positive;
  std::vector<double> wins_of_negative;
  const auto wins = [&](std::size_t i) {
    double won = 0;
    int against = 0;
    for (std::size_t j = 0; j < sample.scores.size(); ++j) {
      if (sample.labels[j] == sample.labels[i]) continue;
      const double sign = sample.labels[i] == 1 ? 1 : -1;
      const double margin = sign * (sample.scores[i] - sample.scores[j]);
      won += margin > 0 ? 1 : margin == 0 ? 0.5 : 0;
      ++against;
    }
    return won / against;
  };
  for (std::size_t i = 0; i < sample.scores.size(); ++i)
    (sample.labels[i] == 1 ? wins_of_positive : wins_of_negative).push_back(wins(i));
  const auto variance_of_mean = [](const std::vector<double>& values) {
    const auto n = static_cast<double>(values.size());
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
    double sum = 0;
    for (const double value : values) sum += (value - mean) * (value - mean);
    return sum / (n - 1) / n;
  };
  return std::sqrt(variance_of_mean(wins_of_positive) + variance_of_mean(wins_of_negative));
}

double width(const Interval& interval) { return interval.high - interval.low; }

// Of pairs that share no document.
PairDocuments distinct_documents(std::size_t pairs) {
  PairDocuments documents;
  for (std::size_t i = 0; i < pairs; ++i) documents.add("", str(2 * i), str(2 * i + 1));
  return documents;
}

TEST(Bootstrap, width_of_the_auc_interval_is_that_of_delong) {
  const Sample sample = normal_sample(600, 1);
  const double auc = measure(sample.scores, sample.labels).roc_auc;
  const double error = delong_error(sample);

  const Interval interval = bootstrap_pairs(sample.scores, sample.labels, {}, {.times = 2000, .key = {7}})[0];

  // A quantile of 2 000 resamples is off by some 4 % of its distance (1.96 errors); 15 % is more than three such
  // errors.
  EXPECT_NEAR((auc - interval.low) / error, 1.96, 0.15 * 1.96);
  EXPECT_NEAR((interval.high - auc) / error, 1.96, 0.15 * 1.96);
}

// Of one positive and one negative there is one resample.
TEST(Bootstrap, keeps_the_number_of_positives_and_of_negatives) {
  const auto intervals = bootstrap_pairs(Scores{.9, .1}, Labels{1, 0}, {}, {.times = 50, .key = {1}});

  for (const Interval& interval : intervals) EXPECT_EQ(interval.low, interval.high);
  EXPECT_EQ(intervals[0].low, 1.0);
  EXPECT_EQ(intervals[1].low, 1.0);
}

// Two positives around one negative: ROC-AUC is 0, 1/2 or 1 with chances 1/4, 1/2, 1/4.
TEST(Bootstrap, reaches_every_resample_there_is) {
  const auto intervals = bootstrap_pairs(Scores{.9, .5, .1}, Labels{1, 0, 1}, {}, {.times = 400, .key = {1}});

  EXPECT_EQ(intervals[0].low, 0.0);
  EXPECT_EQ(intervals[0].high, 1.0);
}

TEST(Bootstrap, is_repeated_by_its_key_and_ignores_the_scale_of_scores) {
  const Sample sample = normal_sample(100, 2);
  Scores halved = sample.scores;
  for (double& score : halved) score *= 0.5;

  const auto first = bootstrap_pairs(sample.scores, sample.labels, {}, {.times = 100, .key = {3}});
  const auto again = bootstrap_pairs(halved, sample.labels, {}, {.times = 100, .key = {3}});
  const auto other = bootstrap_pairs(sample.scores, sample.labels, {}, {.times = 100, .key = {4}});

  for (std::size_t m = 0; m < first.size(); ++m) {
    EXPECT_EQ(first[m].low, again[m].low);
    EXPECT_EQ(first[m].high, again[m].high);
  }
  EXPECT_NE(first[0].low, other[0].low);
}

TEST(DocumentBootstrap, documents_of_another_number_of_pairs_are_refused) {
  EXPECT_THROW((void)bootstrap_pairs(Scores{.9, .1}, Labels{1, 0}, distinct_documents(3), {}), ShapeError);
}

// A document with itself is a pair that occurs as often as the square of how often the document was drawn.
TEST(PairDocuments, are_drawn_as_many_from_each_domain_as_it_has) {
  PairDocuments documents;
  for (const std::string id : {"1", "2", "3"}) documents.add("physics", id, id);
  for (const std::string id : {"1", "2"}) documents.add("biology", id, id);

  for (std::uint64_t draw = 0; draw < 50; ++draw) {
    std::vector<double> times;
    for (const std::int64_t pairs : documents.draw(RandomKey{draw})) times.push_back(std::sqrt(pairs));

    EXPECT_EQ(times[0] + times[1] + times[2], 3.0) << draw;
    EXPECT_EQ(times[3] + times[4], 2.0) << draw;
  }
}

TEST(PairDocuments, a_pair_occurs_as_often_as_the_product_of_its_documents) {
  PairDocuments documents;
  const std::vector<std::array<std::string, 2>> pairs = {{"1", "1"}, {"2", "2"}, {"3", "3"}, {"1", "2"}, {"3", "1"}};
  for (const auto& [a, b] : pairs) documents.add("", a, b);

  for (std::uint64_t draw = 0; draw < 50; ++draw) {
    const std::vector<std::int64_t> times = documents.draw(RandomKey{draw});

    EXPECT_EQ(times[3] * times[3], times[0] * times[1]) << draw;
    EXPECT_EQ(times[4] * times[4], times[2] * times[0]) << draw;
  }
}

/// Pairs of a hundred documents, 24 a document. A co-cited pair scores what its documents have in all of theirs.
struct SharedDocuments {
  /// @param copies  of every pair
  explicit SharedDocuments(unsigned seed, int copies = 1) {
    std::mt19937 generator(seed);
    std::normal_distribution<double> noise(0, 0.1);
    std::vector<double> level(100);
    for (double& value : level) value = noise(generator);
    for (std::size_t i = 0; i < 1200; ++i) {
      const std::size_t a = generator() % 100;
      const std::size_t b = (a + 1 + generator() % 99) % 100;
      const bool co_cited = i % 2 == 0;
      const double score = noise(generator) + (co_cited ? 0.15 + level[a] + level[b] : 0.0);
      for (int copy = 0; copy < copies; ++copy) {
        pairs.emplace_back(a, b);
        labels.push_back(co_cited ? 1 : 0);
        scores.push_back(score);
      }
    }
  }

  [[nodiscard]] PairDocuments documents() const {
    PairDocuments all;
    for (const auto& [a, b] : pairs) all.add("", str(a), str(b));
    return all;
  }

  Scores scores;
  Labels labels;
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
};

std::array<Interval, 3> bootstrap_documents(const SharedDocuments& sample, const Resampling& resampling) {
  return bootstrap_pairs(sample.scores, sample.labels, sample.documents(), resampling);
}

/// Intervals of ROC-AUC, beside how far it moves from one sample of the kind to the next.
class FreshSamples : public testing::Test {
 protected:
  FreshSamples() {
    std::vector<double> values;
    for (unsigned seed = 100; seed < 500; ++seed) {
      const SharedDocuments fresh(seed);
      values.push_back(measure(fresh.scores, fresh.labels).roc_auc);
    }
    std::sort(values.begin(), values.end());
    moves_ = values[389] - values[10];
  }

  /// Mean width of the intervals of eight samples, as a share of the 95 % in which fresh ones lie.
  [[nodiscard]] double mean_width(const std::function<Interval(const SharedDocuments&)>& interval_of) const {
    double sum = 0;
    for (unsigned seed = 0; seed < 8; ++seed) sum += width(interval_of(SharedDocuments(seed)));
    return sum / 8 / moves_;
  }

 private:
  double moves_ = 0;
};

// What fresh samples do is known to 5 %; the mean of eight widths, each off by some 12 %, to 4 %. Three such errors.
TEST_F(FreshSamples, move_as_far_as_intervals_of_documents_say) {
  const double share = mean_width(
      [](const SharedDocuments& sample) { return bootstrap_documents(sample, {.times = 300, .key = {1}})[0]; });

  EXPECT_NEAR(share, 1.0, 0.2);
}

TEST_F(FreshSamples, move_twice_as_far_as_intervals_of_pairs_say) {
  const double share = mean_width([](const SharedDocuments& sample) {
    return bootstrap_pairs(sample.scores, sample.labels, {}, {.times = 300, .key = {1}})[0];
  });

  EXPECT_LT(share, 0.5);
}

// Two documents drawn with replacement make a weight of variance (1 + 1) (1 + 1) - 1, where that of a pair has 1.
TEST(DocumentBootstrap, width_for_pairs_that_share_none_is_sqrt_3_times_that_of_delong) {
  const Sample sample = normal_sample(600, 1);

  const Interval interval = bootstrap_pairs(sample.scores, sample.labels, distinct_documents(sample.labels.size()),
                                            {.times = 2000, .key = {7}})[0];

  // 2 000 resamples give a width to 3 %, and skew adds 2 %.
  EXPECT_NEAR(width(interval) / 2 / (std::sqrt(3.0) * delong_error(sample)), 1.96, 0.1 * 1.96);
}

// Four times the pairs say nothing new of the documents. Four is a power of two: sums and ratios round alike.
TEST(DocumentBootstrap, is_not_narrowed_by_copies_of_pairs) {
  const auto once = bootstrap_documents(SharedDocuments(1), {.times = 100, .key = {3}});
  const auto four_times = bootstrap_documents(SharedDocuments(1, 4), {.times = 100, .key = {3}});

  for (std::size_t m = 0; m < once.size(); ++m) {
    EXPECT_EQ(four_times[m].low, once[m].low);
    EXPECT_EQ(four_times[m].high, once[m].high);
  }
}

// Equal scores have the share of positives as average precision, whatever was drawn.
TEST(DocumentBootstrap, keeps_the_ratio_of_positives_to_negatives) {
  SharedDocuments sample(2);
  std::fill(sample.scores.begin(), sample.scores.end(), 0.5);

  const Interval interval = bootstrap_documents(sample, {.times = 100, .key = {1}})[1];

  // A pair of either label counts for a whole number that is above 2^18 unless pairs occur four times as often.
  EXPECT_NEAR(interval.low, 0.5, 1.0 / (1 << 18));
  EXPECT_NEAR(interval.high, 0.5, 1.0 / (1 << 18));
}

// Nine of ten draws of these four documents miss one of them.
TEST(DocumentBootstrap, a_draw_without_a_positive_or_a_negative_is_drawn_again) {
  const auto intervals =
      bootstrap_pairs(Scores{.9, .1}, Labels{1, 0}, distinct_documents(2), {.times = 50, .key = {1}});

  for (const Interval& interval : intervals) EXPECT_EQ(interval.low, interval.high);
  EXPECT_EQ(intervals[0].low, 1.0);
  EXPECT_EQ(intervals[1].low, 1.0);
}

TEST(DocumentBootstrap, is_repeated_by_its_key) {
  const SharedDocuments sample(3);

  const auto first = bootstrap_documents(sample, {.times = 50, .key = {3}});
  const auto again = bootstrap_documents(sample, {.times = 50, .key = {3}});
  const auto other = bootstrap_documents(sample, {.times = 50, .key = {4}});

  for (std::size_t m = 0; m < first.size(); ++m) {
    EXPECT_EQ(first[m].low, again[m].low);
    EXPECT_EQ(first[m].high, again[m].high);
  }
  EXPECT_NE(first[0].low, other[0].low);
}

TEST(DocumentBootstrap, stays_around_the_measure_and_within_its_bounds) {
  const SharedDocuments sample(4);
  const PairMetrics metrics = measure(sample.scores, sample.labels);

  const auto intervals = bootstrap_documents(sample, {.times = 200, .key = {1}});

  for (std::size_t m = 0; m < intervals.size(); ++m) {
    EXPECT_GE(intervals[m].low, 0.0);
    EXPECT_LT(intervals[m].low, metrics.*kResampledMeasures[m].value);
    EXPECT_GT(intervals[m].high, metrics.*kResampledMeasures[m].value);
    EXPECT_LE(intervals[m].high, 1.0);
  }
}

TEST(ComparePairs, a_system_does_not_differ_from_itself) {
  const Sample sample = normal_sample(200, 5);

  for (const Difference& difference :
       compare_pairs(sample.scores, sample.scores, sample.labels, {}, {.times = 200, .key = {1}})) {
    EXPECT_EQ(difference.value, 0.0);
    EXPECT_EQ(difference.interval.low, 0.0);
    EXPECT_EQ(difference.p, 1.0);
  }
}

TEST(ComparePairs, a_clearly_better_system_is_found_and_the_sign_is_second_less_first) {
  const Sample sample = normal_sample(400, 5);
  Scores better = sample.scores;
  for (std::size_t i = 0; i < better.size(); ++i) better[i] += sample.labels[i] == 1 ? 0.1 : 0.0;

  const auto up = compare_pairs(sample.scores, better, sample.labels, {}, {.times = 200, .key = {1}});
  const auto down = compare_pairs(better, sample.scores, sample.labels, {}, {.times = 200, .key = {1}});

  for (std::size_t m = 0; m < up.size(); ++m) {
    EXPECT_GT(up[m].interval.low, 0.0);
    EXPECT_DOUBLE_EQ(up[m].p, 2.0 / 201);  // no resample has the other sign
    EXPECT_DOUBLE_EQ(down[m].value, -up[m].value);
  }
  EXPECT_DOUBLE_EQ(up[0].value, measure(better, sample.labels).roc_auc - measure(sample.scores, sample.labels).roc_auc);
}

// Every co-cited pair of one document scores higher in the second system: sixty pairs, but one document.
TEST(ComparePairs, what_one_document_does_is_no_difference_between_systems_though_many_pairs_show_it) {
  const Sample sample = normal_sample(400, 6);
  Scores second = sample.scores;
  PairDocuments documents;
  for (std::size_t i = 0; i < second.size(); ++i) {
    const bool chosen = sample.labels[i] == 1 && i < 120;
    if (chosen) second[i] += 0.2;
    documents.add("", chosen ? "one" : str("a", i), str("b", i));
  }

  const auto by_pairs = compare_pairs(sample.scores, second, sample.labels, {}, {.times = 500, .key = {1}});
  const auto by_documents = compare_pairs(sample.scores, second, sample.labels, documents, {.times = 500, .key = {1}});

  EXPECT_EQ(by_documents[0].value, by_pairs[0].value);
  EXPECT_LT(by_pairs[0].p, 0.01);
  EXPECT_GT(by_documents[0].p, 0.3);
}

std::vector<QueryMetrics> queries(const std::vector<double>& values) {
  std::vector<QueryMetrics> all;
  for (const double value : values) all.push_back({str("q", all.size()), {.ndcg_10 = value}});
  return all;
}

// Differences 1, 2, 3, 4 (tenths): of the 16 exchanges 2 reach the sum of all, so p is 1/8.
TEST(CompareQueries, p_is_the_share_of_exchanges_that_reach_the_difference) {
  const auto differences = compare_queries(queries({.1, .1, .1, .1}), queries({.2, .3, .4, .5}), {20000, {1}});

  EXPECT_NEAR(differences[1].value, 0.25, 1e-15);
  // Three standard errors of 20 000 draws.
  EXPECT_NEAR(differences[1].p, 1.0 / 8, 3 * std::sqrt(0.125 * 0.875 / 20000));
  EXPECT_GE(differences[1].interval.low, 0.1 - 1e-12);
  EXPECT_LE(differences[1].interval.high, 0.4 + 1e-12);
  EXPECT_EQ(differences[0].p, 1.0);
}

TEST(CompareQueries, of_different_queries_is_refused) {
  EXPECT_THROW((void)compare_queries(queries({.1, .2}), queries({.1}), {}), DataError);
}

}  // namespace
}  // namespace coterie::eval
