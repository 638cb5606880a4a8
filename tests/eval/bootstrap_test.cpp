// Resampling against explicit resamples, against DeLong's variance, and against an exact test.
#include "eval/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
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

TEST(Bootstrap, width_of_the_auc_interval_is_that_of_delong) {
  const Sample sample = normal_sample(600, 1);
  const double auc = measure(sample.scores, sample.labels).roc_auc;
  const double error = delong_error(sample);

  const Interval interval = bootstrap_pairs(sample.scores, sample.labels, {.times = 2000, .key = {7}})[0];

  // A quantile of 2 000 resamples is off by some 4 % of its distance (1.96 errors); 15 % is more than three such
  // errors.
  EXPECT_NEAR((auc - interval.low) / error, 1.96, 0.15 * 1.96);
  EXPECT_NEAR((interval.high - auc) / error, 1.96, 0.15 * 1.96);
}

// Of one positive and one negative there is one resample.
TEST(Bootstrap, keeps_the_number_of_positives_and_of_negatives) {
  const auto intervals = bootstrap_pairs(Scores{.9, .1}, Labels{1, 0}, {.times = 50, .key = {1}});

  for (const Interval& interval : intervals) EXPECT_EQ(interval.low, interval.high);
  EXPECT_EQ(intervals[0].low, 1.0);
  EXPECT_EQ(intervals[1].low, 1.0);
}

// Two positives around one negative: ROC-AUC is 0, 1/2 or 1 with chances 1/4, 1/2, 1/4.
TEST(Bootstrap, reaches_every_resample_there_is) {
  const auto intervals = bootstrap_pairs(Scores{.9, .5, .1}, Labels{1, 0, 1}, {.times = 400, .key = {1}});

  EXPECT_EQ(intervals[0].low, 0.0);
  EXPECT_EQ(intervals[0].high, 1.0);
}

TEST(Bootstrap, is_repeated_by_its_key_and_ignores_the_scale_of_scores) {
  const Sample sample = normal_sample(100, 2);
  Scores halved = sample.scores;
  for (double& score : halved) score *= 0.5;

  const auto first = bootstrap_pairs(sample.scores, sample.labels, {.times = 100, .key = {3}});
  const auto again = bootstrap_pairs(halved, sample.labels, {.times = 100, .key = {3}});
  const auto other = bootstrap_pairs(sample.scores, sample.labels, {.times = 100, .key = {4}});

  for (std::size_t m = 0; m < first.size(); ++m) {
    EXPECT_EQ(first[m].low, again[m].low);
    EXPECT_EQ(first[m].high, again[m].high);
  }
  EXPECT_NE(first[0].low, other[0].low);
}

TEST(ComparePairs, a_system_does_not_differ_from_itself) {
  const Sample sample = normal_sample(200, 5);

  for (const Difference& difference :
       compare_pairs(sample.scores, sample.scores, sample.labels, {.times = 200, .key = {1}})) {
    EXPECT_EQ(difference.value, 0.0);
    EXPECT_EQ(difference.interval.low, 0.0);
    EXPECT_EQ(difference.p, 1.0);
  }
}

TEST(ComparePairs, a_clearly_better_system_is_found_and_the_sign_is_second_less_first) {
  const Sample sample = normal_sample(400, 5);
  Scores better = sample.scores;
  for (std::size_t i = 0; i < better.size(); ++i) better[i] += sample.labels[i] == 1 ? 0.1 : 0.0;

  const auto up = compare_pairs(sample.scores, better, sample.labels, {.times = 200, .key = {1}});
  const auto down = compare_pairs(better, sample.scores, sample.labels, {.times = 200, .key = {1}});

  for (std::size_t m = 0; m < up.size(); ++m) {
    EXPECT_GT(up[m].interval.low, 0.0);
    EXPECT_DOUBLE_EQ(up[m].p, 2.0 / 201);  // no resample has the other sign
    EXPECT_DOUBLE_EQ(down[m].value, -up[m].value);
  }
  EXPECT_DOUBLE_EQ(up[0].value, measure(better, sample.labels).roc_auc - measure(sample.scores, sample.labels).roc_auc);
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
