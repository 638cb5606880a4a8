// Curves of scored pairs, against counting by hand and against brute force.
#include "report/pair_curves.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace coterie::report {
namespace {

// Two equal scores of both kinds; by hand.
const ScoredPairs kPairs{.model = "m", .scores = {0.9, 0.5, 0.5, 0.1}, .labels = {1, 0, 1, 0}};

std::vector<std::pair<double, double>> places(const Series& series) {
  std::vector<std::pair<double, double>> out;
  for (const Point& point : series.points) out.emplace_back(point.x, point.y);
  return out;
}

using Places = std::vector<std::pair<double, double>>;

TEST(PrecisionRecall, takes_equal_scores_together) {
  EXPECT_EQ(places(precision_recall(kPairs)), (Places{{0.5, 1.0}, {1.0, 2.0 / 3.0}, {1.0, 0.5}}));
}

TEST(ReceiverOperating, goes_from_corner_to_corner) {
  EXPECT_EQ(places(receiver_operating(kPairs)), (Places{{0, 0}, {0, 0.5}, {0.5, 1.0}, {1.0, 1.0}}));
}

TEST(AtThreshold, is_on_both_curves) {
  const AtThreshold at = at_threshold(kPairs, 0.5, "t");
  EXPECT_EQ(at.precision_recall.at.x, 1.0);
  EXPECT_EQ(at.precision_recall.at.y, 2.0 / 3.0);
  EXPECT_EQ(at.receiver_operating.at.x, 0.5);
  EXPECT_EQ(at_threshold(kPairs, 2.0, "t").receiver_operating.at.y, 0.0);
}

// The chance that a co-cited pair scores higher than a random one, ties counting half, counted pair by pair.
TEST(ReceiverOperating, has_the_area_that_counting_gives) {
  ScoredPairs pairs{.model = "m", .scores = {}, .labels = {}};
  for (std::uint64_t i = 0; i < 200; ++i) {
    pairs.labels.push_back(static_cast<std::uint8_t>(random_below({1}, i, 2)));
    pairs.scores.push_back(static_cast<double>(random_below({2}, i, 20)) + 3.0 * pairs.labels.back());
  }
  double wins = 0.0;
  double games = 0.0;
  for (std::size_t i = 0; i < 200; ++i)
    for (std::size_t j = 0; j < 200; ++j) {
      if (pairs.labels[i] != 1 || pairs.labels[j] != 0) continue;
      ++games;
      wins += pairs.scores[i] > pairs.scores[j] ? 1.0 : pairs.scores[i] == pairs.scores[j] ? 0.5 : 0.0;
    }

  const Series roc = receiver_operating(pairs);
  double area = 0.0;
  for (std::size_t i = 1; i < roc.points.size(); ++i)
    area += (roc.points[i].x - roc.points[i - 1].x) * (roc.points[i].y + roc.points[i - 1].y) / 2;

  EXPECT_NEAR(area, wins / games, 1e-12);
}

TEST(Histograms, share_out_each_kind_over_the_whole_range) {
  const auto series = similarity_histograms(kPairs, 4);

  ASSERT_EQ(series.size(), 2U);
  // Bins of 0.2 from 0.1: the scores .1, .5 and .9 fall into the first, third and last.
  EXPECT_EQ(series[0].points.size(), 5U);
  EXPECT_EQ(series[0].points[2].y, 0.5);
  EXPECT_EQ(series[0].points[3].y, 0.5);
  EXPECT_EQ(series[1].points[0].y, 0.5);
  EXPECT_EQ(series[1].points[2].y, 0.5);
  EXPECT_TRUE(similarity_histograms({.model = "m", .scores = {}, .labels = {}}, 4).empty());
}

TEST(Thinned, keeps_first_and_last) {
  Series series{.name = "s", .points = {}};
  for (int i = 0; i < 1000; ++i) series.points.push_back({static_cast<double>(i), 0.0});

  const Series few = thinned(series, 11);

  EXPECT_EQ(few.points.size(), 11U);
  EXPECT_EQ(few.points.front().x, 0.0);
  EXPECT_EQ(few.points.back().x, 999.0);
  EXPECT_EQ(thinned(series, 2000).points.size(), 1000U);
}

}  // namespace
}  // namespace coterie::report
