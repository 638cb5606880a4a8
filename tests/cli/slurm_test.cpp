// A sweep on a real Slurm that the test starts for itself: an array of four cells, one of them preempted.
#include "sweep/cell_files.h"
#include "tests/cli/workspace.h"

namespace coterie::test {
namespace {

class SlurmSweep : public Workspace {};

TEST_F(SlurmSweep, an_array_ends_with_the_preempted_cell_as_if_nothing_had_happened) {
  constexpr int kSkipped = 77;
  build_corpus();

  const Outcome outcome = shell(R"("bash" "$COTERIE_SOURCE_DIR/tests/launch/private_slurm.sh" "$PWD/slurm" bash )"
                                R"("$COTERIE_SOURCE_DIR/tests/launch/slurm_array.sh")");

  if (outcome.code == kSkipped) GTEST_SKIP() << outcome.out;
  ASSERT_EQ(outcome.code, 0) << outcome;
  const std::string preempted = "2e-3";
  for (const char* cell : {"1e-3", "2e-3", "3e-3", "4e-3"}) {
    const auto result = sweep::read_result(root() / "runs/study" / str("optim.lr=", cell));
    ASSERT_TRUE(result.has_value()) << cell;
    EXPECT_EQ(result->cost.unknown, 0) << cell;
    if (cell == preempted) {
      EXPECT_GE(result->cost.starts, 2);
    } else {
      EXPECT_EQ(result->cost.starts, 1) << cell;
    }
  }
  EXPECT_EQ(count(read("runs/study/cells.csv"), ",finished,"), 4);
  // Alone, without a sweep and without a pause.
  const Outcome alone = coterie({"train", "run.toml", "optim.lr=2e-3", "train.steps=2000", "train.save_every=100000",
                                 "train.eval_every=100000", "run=alone"});
  ASSERT_EQ(alone.code, 0) << alone;
  const fs::path last = fs::path("checkpoints") / "step-00002000" / "MANIFEST";
  EXPECT_EQ(read("runs/study/optim.lr=2e-3" / last), read("runs/alone" / last));
}

}  // namespace
}  // namespace coterie::test
