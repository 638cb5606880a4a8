// Pair measures against hand counts, and against scikit-learn 1.9.1 on the same numbers.
#include "eval/pair_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "base/error.h"

namespace coterie::eval {
namespace {

using Scores = std::vector<double>;
using Labels = std::vector<std::uint8_t>;

// P1's formula, in its order of operations.
double f1_of(double precision, double recall) { return 2 * precision * recall / (precision + recall + 1e-8); }

// 200 pairs with 101 distinct scores: nearly every score is there twice, often with both labels.
void make_tied_pairs(Scores& scores, Labels& labels) {
  for (int i = 0; i < 200; ++i) {
    const int rank = (i * 37) % 101;
    scores.push_back((rank - 50) / 64.0);
    labels.push_back(rank + (i * 53) % 97 > 110 ? 1 : 0);
  }
}

TEST(PairMetrics, ties_are_counted_together) {
  const Scores scores = {.9, .8, .8, .8, .5, .5, .3, .3, .1, .1};
  const Labels labels = {1, 1, 0, 1, 0, 1, 1, 0, 0, 0};

  const PairMetrics m = measure(scores, labels);

  // By hand: at .3, 5 of 8 predicted are positive and none is missed.
  EXPECT_EQ(m.positives, 5);
  EXPECT_EQ(m.negatives, 5);
  EXPECT_EQ(m.precision, 5.0 / 8);
  EXPECT_EQ(m.recall, 1.0);
  EXPECT_EQ(m.f1, f1_of(5.0 / 8, 1));
  EXPECT_EQ(m.threshold, .3);
  // Of 25 (positive, negative) pairs: 5 + 2 (4 + 1/2) + (3 + 1/2) + (2 + 1/2) = 20, ties as halves.
  EXPECT_EQ(m.roc_auc, 0.8);
  // 1/5 (1) + 2/5 (3/4) + 1/5 (4/6) + 1/5 (5/8), rounded in four additions.
  EXPECT_NEAR(m.average_precision, 1.0 / 5 + 2.0 / 5 * 3 / 4 + 1.0 / 5 * 4 / 6 + 1.0 / 5 * 5 / 8, 1e-15);
  EXPECT_NEAR(m.pos_sim, 0.66, 1e-15);
  EXPECT_NEAR(m.neg_sim, 0.36, 1e-15);
}

TEST(PairMetrics, agree_with_scikit_learn_where_most_scores_are_tied) {
  Scores scores;
  Labels labels;
  make_tied_pairs(scores, labels);

  const PairMetrics m = measure(scores, labels);

  // Sums of at most 200 terms below 1, each rounded to 1e-16.
  constexpr double kTolerance = 200 * 1.2e-16;
  EXPECT_EQ(m.positives, 78);
  EXPECT_EQ(m.threshold, 0.078125);
  EXPECT_EQ(m.precision, 0.6813186813186813);
  EXPECT_EQ(m.recall, 0.7948717948717948);
  EXPECT_EQ(m.f1, 0.7337278056804734);
  EXPECT_NEAR(m.roc_auc, 0.8637557797393863, kTolerance);
  EXPECT_NEAR(m.average_precision, 0.80929394286774, kTolerance);
  EXPECT_NEAR(m.pos_sim, 0.351963141025641, kTolerance);
  EXPECT_NEAR(m.neg_sim, -0.22387295081967212, kTolerance);
  EXPECT_NEAR(m.sim_ratio, 1.5721557237575545, 10 * kTolerance);
}

TEST(PairMetrics, do_not_depend_on_the_order_of_the_pairs) {
  Scores scores;
  Labels labels;
  make_tied_pairs(scores, labels);
  const PairMetrics before = measure(scores, labels);
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937(7));
  Scores shuffled_scores;
  Labels shuffled_labels;
  for (const std::size_t i : order) {
    shuffled_scores.push_back(scores[i]);
    shuffled_labels.push_back(labels[i]);
  }

  const PairMetrics after = measure(shuffled_scores, shuffled_labels);

  // The scores are multiples of 1/64, so even their sums are exact.
  EXPECT_EQ(after.f1, before.f1);
  EXPECT_EQ(after.threshold, before.threshold);
  EXPECT_EQ(after.roc_auc, before.roc_auc);
  EXPECT_EQ(after.average_precision, before.average_precision);
  EXPECT_EQ(after.sim_ratio, before.sim_ratio);
}

TEST(PairMetrics, equal_scores_tell_nothing) {
  const PairMetrics m = measure(Scores(5, 0.5), Labels{1, 0, 1, 0, 0});

  EXPECT_EQ(m.f1, f1_of(0.4, 1));
  EXPECT_EQ(m.threshold, 0.5);
  EXPECT_EQ(m.roc_auc, 0.5);
  EXPECT_EQ(m.average_precision, 0.4);
  EXPECT_EQ(m.sim_ratio, 1.0);
}

TEST(PairMetrics, a_perfect_order_gives_ones) {
  const PairMetrics m = measure(Scores{.9, .8, .2, .1}, Labels{1, 1, 0, 0});

  EXPECT_EQ(m.f1, 0.999999995);  // P1's 1e-8 in the denominator
  EXPECT_EQ(m.precision, 1.0);
  EXPECT_EQ(m.recall, 1.0);
  EXPECT_EQ(m.threshold, 0.8);
  EXPECT_EQ(m.roc_auc, 1.0);
  EXPECT_EQ(m.average_precision, 1.0);
}

TEST(PairMetrics, an_inverted_order_gives_a_zero_area) {
  const PairMetrics m = measure(Scores{.1, .2, .8, .9}, Labels{1, 1, 0, 0});

  EXPECT_EQ(m.roc_auc, 0.0);
  EXPECT_EQ(m.f1, f1_of(0.5, 1));
  EXPECT_EQ(m.threshold, 0.1);
  EXPECT_DOUBLE_EQ(m.average_precision, 0.5 * (1.0 / 3) + 0.5 * (2.0 / 4));
}

TEST(PairMetrics, only_f1_sees_clipped_scores) {
  const Scores scores = {1.5, 1.2, -1.5, 0.5, -1.0};
  const Labels labels = {1, 0, 0, 1, 0};

  const PairMetrics m = measure(scores, labels);

  // Unclipped, 1.5 alone would be a threshold. Clipped, 1.5 and 1.2 are one: the best is 0.5 with 2 of 3 right.
  EXPECT_EQ(m.threshold, 0.5);
  EXPECT_EQ(m.precision, 2.0 / 3);
  EXPECT_EQ(m.roc_auc, 5.0 / 6);
  EXPECT_DOUBLE_EQ(m.average_precision, 0.5 + 0.5 * 2 / 3);
  EXPECT_EQ(m.pos_sim, 1.0);
}

TEST(PairMetrics, a_clipped_score_is_a_threshold_of_one) {
  const PairMetrics m = measure(Scores{1.25, 1.0, 0.25}, Labels{1, 1, 0});

  EXPECT_EQ(m.threshold, 1.0);
  EXPECT_EQ(m.recall, 1.0);
}

TEST(PairMetrics, of_equal_f1_the_lowest_threshold_wins) {
  // At .9: 1 of 1, recall 1/2. At .1: 2 of 4, recall 1. Both have 2 p r / (p + r) = 2/3.
  const Scores scores = {.9, .5, .4, .1};
  const Labels labels = {1, 0, 0, 1};

  EXPECT_EQ(measure(scores, labels).threshold, .1);
}

TEST(PairMetrics, the_ratio_is_infinite_where_negatives_average_zero) {
  const PairMetrics m = measure(Scores{.5, .25, -.25}, Labels{1, 0, 0});

  EXPECT_EQ(m.sim_ratio, std::numeric_limits<double>::infinity());
}

TEST(PairMetrics, the_ratio_has_no_sign) { EXPECT_EQ(measure(Scores{.5, -.25}, Labels{1, 0}).sim_ratio, 2.0); }

TEST(PairMetrics, fp32_scores_are_measured_in_double) {
  const std::vector<float> scores = {.1f, .2f, .7f};

  const PairMetrics m = measure(scores, Labels{0, 1, 1});

  EXPECT_EQ(m.threshold, static_cast<double>(.2f));
}

TEST(PairMetrics, fp32_sums_do_not_lose_small_terms) {
  // In fp32, adding 2^-12 to 4096 is lost.
  std::vector<float> scores(4096, 1.0f);
  scores.resize(8192, 0x1p-12f);
  Labels labels(8192, 1);
  scores.push_back(0.5f);
  labels.push_back(0);

  EXPECT_EQ(measure(scores, labels).pos_sim, (4096 + 1) / 8192.0);
}

TEST(PairMetrics, a_score_that_is_not_finite_is_named) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    try {
      static_cast<void>(measure(Scores{.5, .5, bad}, Labels{0, 1, 1}));
      FAIL() << "accepted " << bad;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("(pair 2)"));
    }
  }
}

TEST(PairMetrics, a_label_other_than_0_and_1_is_named) {
  try {
    static_cast<void>(measure(Scores{.5, .5, .5}, Labels{0, 2, 1}));
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("must be 0 or 1, got 2 (pair 1)"));
  }
}

TEST(PairMetrics, both_kinds_of_pairs_are_needed) {
  EXPECT_THROW(static_cast<void>(measure(Scores{.5, .6}, Labels{1, 1})), DataError);
  EXPECT_THROW(static_cast<void>(measure(Scores{.5, .6}, Labels{0, 0})), DataError);
  EXPECT_THROW(static_cast<void>(measure(Scores{}, Labels{})), DataError);
  EXPECT_THROW(static_cast<void>(f1_at(Scores{.5}, Labels{1}, 0)), DataError);
}

TEST(PairMetrics, scores_and_labels_of_different_lengths_are_a_bug) {
  EXPECT_THROW(static_cast<void>(measure(Scores{.5, .6}, Labels{1})), ShapeError);
}

TEST(F1At, agrees_with_scikit_learn) {
  Scores scores;
  Labels labels;
  make_tied_pairs(scores, labels);

  const FixedThreshold middle = f1_at(scores, labels, 0.25);  // itself a score: at or above counts
  const FixedThreshold low = f1_at(scores, labels, -0.5);

  EXPECT_EQ(middle.precision, 0.7428571428571429);
  EXPECT_EQ(middle.recall, 0.6666666666666666);
  // scikit-learn's f1_score has no 1e-8; that changes F1 by less than 1e-8.
  EXPECT_NEAR(middle.f1, 0.7027027027027027, 1e-8);
  EXPECT_EQ(low.precision, 0.47560975609756095);
  EXPECT_EQ(low.recall, 1.0);
}

TEST(F1At, gives_the_maximum_at_its_own_threshold) {
  Scores scores;
  Labels labels;
  make_tied_pairs(scores, labels);
  const PairMetrics best = measure(scores, labels);

  const FixedThreshold at = f1_at(scores, labels, best.threshold);

  EXPECT_EQ(at.f1, best.f1);
  EXPECT_EQ(at.precision, best.precision);
  EXPECT_EQ(at.recall, best.recall);
}

TEST(F1At, is_zero_where_nothing_is_predicted) {
  const FixedThreshold at = f1_at(Scores{.5, .6}, Labels{0, 1}, 0.75);

  EXPECT_EQ(at.f1, 0.0);
  EXPECT_EQ(at.precision, 0.0);
  EXPECT_EQ(at.recall, 0.0);
}

TEST(F1At, clips_as_the_maximum_does) {
  // A threshold of -1 predicts everything, also what lies below it.
  EXPECT_EQ(f1_at(std::vector<float>{-1.5f, 0.5f}, Labels{1, 0}, -1).recall, 1.0);
}

}  // namespace
}  // namespace coterie::eval
