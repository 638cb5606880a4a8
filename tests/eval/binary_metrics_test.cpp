// The other convention of pair classification: sentence-transformers' own functions on the same numbers, and ties.
#include "eval/binary_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
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

void expect_measures(int pairs, int score_step, int label_step, const BinaryMetrics& expected) {
  Scores scores;
  Labels labels;
  make_pairs(pairs, score_step, label_step, scores, labels);

  const BinaryMetrics m = measure_binary(scores, labels);

  EXPECT_DOUBLE_EQ(m.accuracy, expected.accuracy);
  EXPECT_EQ(m.accuracy_threshold, expected.accuracy_threshold);
  EXPECT_DOUBLE_EQ(m.f1, expected.f1);
  EXPECT_EQ(m.f1_threshold, expected.f1_threshold);
  EXPECT_DOUBLE_EQ(m.precision, expected.precision);
  EXPECT_DOUBLE_EQ(m.recall, expected.recall);
  EXPECT_DOUBLE_EQ(m.mcc, expected.mcc);
}

// Values of sentence-transformers 6.2's find_best_acc_and_threshold and find_best_f1_and_threshold, and of
// scikit-learn's matthews_corrcoef at its threshold.
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

// sentence-transformers would cut behind the two positives of .5 and call that perfect.
TEST(BinaryMetrics, equal_scores_stay_together_whatever_the_order) {
  const Scores scores = {.5, .5, .5, .5, .1};
  Labels labels = {1, 1, 0, 0, 0};

  const BinaryMetrics m = measure_binary(scores, labels);
  std::reverse(labels.begin(), labels.begin() + 4);
  const BinaryMetrics reversed = measure_binary(scores, labels);

  EXPECT_DOUBLE_EQ(m.accuracy, 3.0 / 5);
  EXPECT_DOUBLE_EQ(m.accuracy_threshold, 0.3);
  EXPECT_DOUBLE_EQ(m.f1, 2.0 / 3);
  EXPECT_DOUBLE_EQ(m.precision, 0.5);
  // tp 2, fp 2, fn 0, tn 1.
  EXPECT_DOUBLE_EQ(m.mcc, 2.0 / std::sqrt(4.0 * 2 * 3 * 1));
  EXPECT_EQ(reversed.accuracy, m.accuracy);
  EXPECT_EQ(reversed.f1, m.f1);
}

TEST(BinaryMetrics, one_score_for_all_has_no_cut) {
  const BinaryMetrics m = measure_binary(Scores(4, 0.5), Labels{1, 1, 0, 0});

  EXPECT_EQ(m.accuracy, 0.0);
  EXPECT_EQ(m.accuracy_threshold, -1.0);
  EXPECT_EQ(m.f1, 0.0);
  EXPECT_EQ(m.mcc, 0.0);
}

TEST(BinaryMetrics, refuse_what_the_other_measures_refuse) {
  EXPECT_THROW((void)measure_binary(Scores{.5, .4}, Labels{1, 1}), DataError);
  EXPECT_THROW((void)measure_binary(Scores{.5}, Labels{1, 0}), ShapeError);
}

}  // namespace
}  // namespace coterie::eval
