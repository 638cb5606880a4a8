// Against values of SciPy 1.x: 2 * stats.t.sf(t, f), stats.ttest_rel, stats.nct, and an enumeration of signs.
#include "sweep/significance.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

namespace coterie::sweep {
namespace {

TEST(TTail, is_that_of_the_t_distribution) {
  struct Case {
    double t;
    int freedom;
    double tail;
  };
  constexpr std::array<Case, 9> kCases = {{{1.0, 1, 0.5000000000000001},
                                           {2.5, 2, 0.12961172022151082},
                                           {12.7062, 1, 0.0500000185607104},
                                           {4.3027, 2, 0.04999898240873412},
                                           {3.1, 3, 0.05329554461433608},
                                           {-2.0, 4, 0.11611652351681556},
                                           {2.2, 9, 0.05534057279861165},
                                           {0.3, 30, 0.7662461052843528},
                                           {6.0, 7, 0.0005422583420028105}}};
  // 1 minus a sum of terms below 1: a few units in the last place of 1.
  for (const Case& c : kCases) EXPECT_NEAR(t_tail(c.t, c.freedom), c.tail, 1e-14) << c.t << " " << c.freedom;
  EXPECT_EQ(t_tail(0.0, 5), 1.0);
}

class Differences : public testing::Test {
 protected:
  /// Of .79 .81 .80 .83 .785 and .78 .79 .805 .80 .78.
  std::vector<double> five_{.79 - .78, .81 - .79, .80 - .805, .83 - .80, .785 - .78};
};

TEST_F(Differences, paired_t_is_that_of_scipy) {
  EXPECT_NEAR(*paired_t(five_), 0.11795473234274177, 1e-12);
  EXPECT_NEAR(*paired_t(std::array{0.5, -0.5, 2.0}), 0.4556689460481827, 1e-12);
}

// 6 of the 32 choices have a sum as far from 0: 0.06, 0.07 where -0.005 is turned, 0.06 by turning both fives, and
// their opposites.
TEST_F(Differences, sign_flip_counts_all_choices) { EXPECT_EQ(*sign_flip(five_), 6.0 / 32.0); }

TEST_F(Differences, sign_flip_of_three_like_signs_is_a_quarter) {
  EXPECT_EQ(*sign_flip(std::array{0.1, 0.2, 0.3}), 0.25);
}

TEST_F(Differences, sign_flip_of_many_is_near_the_t_test) {
  std::vector<double> many;
  for (int i = 0; i < 30; ++i) many.push_back(std::sin(i) + 0.3);

  // Both are approximations of the same p; 2^20 draws alone give 0.0005 at most.
  EXPECT_NEAR(*sign_flip(many), *paired_t(many), 0.01);
}

// The signs as seen are one of the draws.
TEST_F(Differences, sign_flip_of_many_is_never_0) {
  EXPECT_EQ(*sign_flip(std::vector<double>(60, 0.5)), 1.0 / ((1 << 20) + 1));
}

// The d at which nct.sf(t, n - 1, d) + nct.cdf(-t, n - 1, d) is 0.8, with t = t.ppf(0.975, n - 1).
TEST(Detectable, is_the_noncentrality_that_the_test_finds_four_times_of_five) {
  struct Case {
    int seeds;
    double standard_errors;
  };
  constexpr std::array<Case, 6> kCases = {{{2, 16.334008869920993},
                                           {3, 5.653489266197126},
                                           {5, 3.7610595538250204},
                                           {10, 3.149632886450618},
                                           {50, 2.858005416507346},
                                           {2000, 2.802928622855679}}};
  for (const Case& c : kCases) {
    std::vector<double> differences;
    for (int i = 0; i < c.seeds; ++i) differences.push_back(std::sin(i));
    const double error = *deviation_of(differences) / std::sqrt(c.seeds);

    // 400 steps of Simpson's rule are off by 6e-8 with three seeds, where the density does not begin level.
    EXPECT_NEAR(*detectable(differences) / error, c.standard_errors, 2e-7) << c.seeds;
  }
}

TEST_F(Differences, detectable_grows_with_their_deviation) {
  std::vector<double> tripled = five_;
  for (double& value : tripled) value *= 3;

  EXPECT_NEAR(*detectable(tripled), 3 * *detectable(five_), 1e-12);
}

TEST_F(Differences, of_fewer_than_two_seeds_nothing_is_said) {
  const std::array one{0.5};

  EXPECT_FALSE(deviation_of(one).has_value());
  EXPECT_FALSE(paired_t(one).has_value());
  EXPECT_FALSE(sign_flip(one).has_value());
  EXPECT_FALSE(detectable(one).has_value());
}

TEST_F(Differences, that_are_all_equal_leave_no_doubt) {
  EXPECT_EQ(*paired_t(std::array{0.5, 0.5, 0.5}), 0.0);
  EXPECT_EQ(*paired_t(std::array{0.0, 0.0, 0.0}), 1.0);
  EXPECT_EQ(*sign_flip(std::array{0.0, 0.0, 0.0}), 1.0);
}

}  // namespace
}  // namespace coterie::sweep
