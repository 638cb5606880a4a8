// What is submitted to Slurm.
#include "sweep/slurm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "tests/harness/messages.h"
#include "tests/harness/temporary_folder.h"

namespace coterie::sweep {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

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

TEST(Sbatch, asks_for_the_cores_of_the_cell_with_most_threads) {
  Plan plan{.folder = "runs/s", .cells = {}};
  for (const std::int64_t threads : {1, 4, 0}) {
    plan.cells.emplace_back();
    plan.cells.back().threads = threads;
  }

  EXPECT_THAT(sbatch_command(plan, {0, 1, 2}, {"a.sbatch", "/bin/coterie", {}}), Contains("--cpus-per-task=4"));
  EXPECT_THAT(sbatch_command(plan, {2}, {"a.sbatch", "/bin/coterie", {}}), Not(Contains(StartsWith("--cpus"))));
}

/// A cluster that takes no job.
class Refusal : public Processes {
 public:
  int start(const Command& command) override {
    std::ofstream(command.log) << "sbatch: error: invalid partition\n";
    return 1;
  }
  std::optional<Ended> wait(double) override { return Ended{.id = 1, .code = 2}; }
  void ask_to_stop() override {}
};

TEST(Sbatch, that_fails_is_told_by_its_own_words) {
  const test::TemporaryFolder folder;
  Plan plan{.folder = folder.path() / "s", .cells = {}};
  plan.cells.emplace_back();
  Refusal cluster;

  const std::string said = test::message_of<IoError>([&] { (void)submit(plan, {0}, {"a.sbatch", "x", {}}, cluster); });

  EXPECT_THAT(said, HasSubstr("sbatch must exit with 0, got 2: sbatch: error: invalid partition (a.sbatch)"));
}

}  // namespace
}  // namespace coterie::sweep
