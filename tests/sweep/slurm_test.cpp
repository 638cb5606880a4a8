// What is submitted to Slurm.
#include "sweep/slurm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coterie::sweep {
namespace {

using testing::ElementsAre;

TEST(Array, numbers_that_follow_each_other_are_a_range) {
  EXPECT_EQ(array_of({0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
  EXPECT_EQ(array_of({3}), "3");
}

TEST(Sbatch, asks_for_the_ranks_of_the_largest_cell_and_hands_on_program_and_arguments) {
  Plan plan{.folder = "runs/s", .cells = {}};
  for (const std::int64_t ranks : {1, 4, 2}) {
    plan.cells.emplace_back();
    plan.cells.back().ranks = ranks;
  }

  const auto words = sbatch_command(plan, {0, 2}, {"a.sbatch", "/bin/coterie", {"c.toml", "seed=0,1"}});

  EXPECT_THAT(words, ElementsAre("env", "COTERIE_BINARY=/bin/coterie", "sbatch", "--parsable", "--array=0,2",
                                 "--ntasks=2", "a.sbatch", "c.toml", "seed=0,1"));
}

}  // namespace
}  // namespace coterie::sweep
