// Learning-rate factors at the steps where the shape changes.
#include "train/schedule.h"

#include <gtest/gtest.h>

namespace coterie::train {
namespace {

TEST(Schedule, warms_up_linearly_from_zero) {
  const OptimOptions options{.warmup_steps = 4};

  EXPECT_EQ(schedule(options, 0, 20), 0.0);
  EXPECT_EQ(schedule(options, 1, 20), 0.25);
  EXPECT_EQ(schedule(options, 4, 20), 1.0);
}

TEST(Schedule, linear_decay_reaches_zero_at_the_end) {
  const OptimOptions options{.warmup_steps = 4};

  EXPECT_EQ(schedule(options, 12, 20), 0.5);
  EXPECT_EQ(schedule(options, 20, 20), 0.0);
}

TEST(Schedule, cosine_decay_is_half_way_down_in_the_middle) {
  const OptimOptions options{.warmup_steps = 4, .decay = Decay::cosine};

  EXPECT_EQ(schedule(options, 4, 20), 1.0);
  EXPECT_DOUBLE_EQ(schedule(options, 12, 20), 0.5);
  EXPECT_NEAR(schedule(options, 20, 20), 0.0, 1e-15);
}

TEST(Schedule, constant_stays_at_the_peak) {
  const OptimOptions options{.warmup_steps = 0, .decay = Decay::constant};

  EXPECT_EQ(schedule(options, 0, 20), 1.0);
  EXPECT_EQ(schedule(options, 19, 20), 1.0);
}

TEST(Schedule, a_run_of_warm_up_only_never_divides_by_zero) {
  const OptimOptions options{.warmup_steps = 5};

  EXPECT_EQ(schedule(options, 4, 5), 0.8);
  EXPECT_EQ(schedule(options, 5, 5), 1.0);
}

}  // namespace
}  // namespace coterie::train
