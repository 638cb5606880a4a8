// Folding keeps its order, its bits and a NaN.
#include "dist/fold.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"

namespace coterie::dist {
namespace {

TEST(Fold, adds_from_the_first_source_to_the_last) {
  // Grouped from the right, 1e8 + (1 - 1e8) would lose nothing: 1 here instead of 0.
  const float one = 1, big = 1e8f, minus = -1e8f;
  const std::array<const void*, 3> sources = {&one, &big, &minus};
  float sum = -1;

  fold(Reduce::sum, at::kFloat, sources, &sum, 1);

  EXPECT_EQ(sum, 0.0f);
}

TEST(Fold, may_write_over_any_of_its_sources) {
  // Longer than the blocks in which it works.
  for (std::size_t target = 0; target < 3; ++target) {
    std::array<std::vector<double>, 3> values;
    std::array<const void*, 3> sources{};
    for (std::size_t s = 0; s < 3; ++s) {
      for (int i = 0; i < 2500; ++i) values[s].push_back(std::pow(10.0, static_cast<double>(s)) * i);
      sources[s] = values[s].data();
    }

    fold(Reduce::sum, at::kDouble, sources, values[target].data(), 2500);

    for (std::size_t i = 0; i < 2500; ++i) ASSERT_EQ(values[target][i], 111.0 * static_cast<double>(i));
  }
}

TEST(Fold, lets_a_nan_win_wherever_it_stands) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Reduce op : {Reduce::sum, Reduce::max, Reduce::min}) {
    for (std::size_t place = 0; place < 3; ++place) {
      std::array<double, 3> values = {1, 2, 3};
      values[place] = nan;
      const std::array<const void*, 3> sources = {&values[0], &values[1], &values[2]};
      double result = 0;

      fold(op, at::kDouble, sources, &result, 1);

      EXPECT_TRUE(std::isnan(result)) << place;
    }
  }
}

TEST(Fold, refuses_other_types) {
  const std::int32_t one = 1;
  std::int32_t out = 0;
  const std::array<const void*, 1> sources = {&one};

  EXPECT_THROW(fold(Reduce::sum, at::kInt, sources, &out, 1), ShapeError);
}

}  // namespace
}  // namespace coterie::dist
