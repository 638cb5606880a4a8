// The other convention of pair classification: sentence-transformers' own functions on the same numbers.
#include "eval/binary_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/error.h"

namespace coterie::eval {
namespace {

using Scores = std::vector<double>;
using Labels = std::vector<std::uint8_t>;

// Distinct multiples of 1/1024: midpoints are exact in fp32, too.
void make_pairs(int pairs, int score_step, int label_step, Scores& scores, Labels& labels) {
  for (int i = 0; i < pairs; ++i) {
    const int rank = (i * score_step) % 1009;
    scores.push_back((rank - 500) / 1024.0);
    labels.push_back(rank + (i * label_step) % 701 > 850 ? 1 : 0);
  }
}

void expect_equal(const BinaryMetrics& m, const BinaryMetrics& expected) {
  EXPECT_DOUBLE_EQ(m.accuracy, expected.accuracy);
  EXPECT_EQ(m.accuracy_threshold, expected.accuracy_threshold);
  EXPECT_DOUBLE_EQ(m.f1, expected.f1);
  EXPECT_EQ(m.f1_threshold, expected.f1_threshold);
  EXPECT_DOUBLE_EQ(m.precision, expected.precision);
  EXPECT_DOUBLE_EQ(m.recall, expected.recall);
  EXPECT_DOUBLE_EQ(m.mcc, expected.mcc);
}

void expect_measures(int pairs, int score_step, int label_step, const BinaryMetrics& expected) {
  Scores scores;
  Labels labels;
  make_pairs(pairs, score_step, label_step, scores, labels);

  expect_equal(measure_binary(scores, labels), expected);
}

// Here and below, values of sentence-transformers 6.2.0's find_best_acc_and_threshold and find_best_f1_and_threshold,
// and of scikit-learn's matthews_corrcoef at its threshold; binary_metrics_reference.py beside this file prints them.
TEST(BinaryMetrics, are_those_of_sentence_transformers_where_no_scores_are_equal) {
  expect_measures(300, 37, 53,
                  {.accuracy = 0.8566666666666667,
                   .accuracy_threshold = 0.0625,
                   .f1 = 0.8523489932885906,
                   .f1_threshold = 0.01953125,
                   .precision = 0.8758620689655172,
                   .recall = 0.8300653594771242,
                   .mcc = 0.7078682118715101});
}

TEST(BinaryMetrics, are_those_of_sentence_transformers_on_fewer_pairs) {
  expect_measures(50, 271, 31,
                  {.accuracy = 0.86,
                   .accuracy_threshold = 0.046875,
                   .f1 = 0.8571428571428572,
                   .f1_threshold = -0.03466796875,
                   .precision = 0.8076923076923077,
                   .recall = 0.9130434782608695,
                   .mcc = 0.726106525690946});
}

// Eleven scores for 300 pairs.
TEST(BinaryMetrics, are_those_of_sentence_transformers_where_most_scores_are_equal) {
  Scores scores;
  Labels labels;
  make_pairs(300, 37, 53, scores, labels);
  for (double& score : scores) score = std::floor(score * 1024 / 100) / 16;

  expect_equal(measure_binary(scores, labels), {.accuracy = 0.8466666666666667,
                                                .accuracy_threshold = -0.03125,
                                                .f1 = 0.8486842105263158,
                                                .f1_threshold = -0.03125,
                                                .precision = 0.8543046357615894,
                                                .recall = 0.8431372549019608,
                                                .mcc = 0.69335408964573});
}

TEST(BinaryMetrics, equal_scores_stay_together_whatever_the_order) {
  const Scores scores = {.5, .5, .5, .5, .125};
  const BinaryMetrics expected = {.accuracy = 0.6,  // no pair is predicted
                                  .accuracy_threshold = 0.5000000000000001,
                                  .f1 = 0.6666666666666666,
                                  .f1_threshold = 0.3125,
                                  .precision = 0.5,
                                  .recall = 1.0,
                                  .mcc = 0.4082482904638631};

  expect_equal(measure_binary(scores, Labels{1, 1, 0, 0, 0}), expected);
  expect_equal(measure_binary(scores, Labels{0, 0, 1, 1, 0}), expected);
}

TEST(BinaryMetrics, one_score_for_all_predicts_none_or_all) {
  expect_equal(measure_binary(Scores(4, 0.5), Labels{1, 1, 0, 0}), {.accuracy = 0.5,
                                                                    .accuracy_threshold = 0.5000000000000001,
                                                                    .f1 = 0.6666666666666666,
                                                                    .f1_threshold = 0.5,
                                                                    .precision = 0.5,
                                                                    .recall = 1.0,
                                                                    .mcc = 0.0});
}

// The mean of these doubles is the lower one.
TEST(BinaryMetrics, a_threshold_does_not_reach_the_score_below) {
  const double above_one = std::nextafter(1.0, 2.0);

  expect_equal(measure_binary(Scores{above_one, 1.0}, Labels{1, 0}), {.accuracy = 1.0,
                                                                      .accuracy_threshold = above_one,
                                                                      .f1 = 1.0,
                                                                      .f1_threshold = above_one,
                                                                      .precision = 1.0,
                                                                      .recall = 1.0,
                                                                      .mcc = 1.0});
}

TEST(BinaryMetrics, refuse_what_the_other_measures_refuse) {
  EXPECT_THROW((void)measure_binary(Scores{.5, .4}, Labels{1, 1}), DataError);
  EXPECT_THROW((void)measure_binary(Scores{.5}, Labels{1, 0}), ShapeError);
}

}  // namespace
}  // namespace coterie::eval
