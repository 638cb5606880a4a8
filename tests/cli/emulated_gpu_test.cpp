// Training on GPUs as a user does it: ranks over NCCL, ranks that share GPUs, and runs that change the device.
#include <nlohmann/json.hpp>

#include "tests/cli/workspace.h"

namespace coterie::test {
namespace {

using testing::HasSubstr;

class GpuRuns : public Workspace {
 protected:
  void SetUp() override {
    Workspace::SetUp();
    if (!IsSkipped()) build_corpus();
  }

  /// Trains on ranks, without decay so that a run may be continued further than it was first meant to go.
  Outcome train(int ranks, const std::string& run, const std::string& device, int steps,
                const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"train",
                                      "run.toml",
                                      str("run=", run),
                                      str("device=", device),
                                      str("train.steps=", steps),
                                      "optim.decay=constant",
                                      "train.eval_every=1000"};
    words.insert(words.end(), more.begin(), more.end());
    return mpirun(ranks, words);
  }

  [[nodiscard]] std::vector<double> losses(const std::string& run) const {
    std::vector<double> losses;
    std::istringstream lines(read(fs::path("runs") / run / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);)
      if (const auto object = nlohmann::json::parse(line); object.contains("loss")) losses.push_back(object["loss"]);
    return losses;
  }

  void expect_same_losses(const std::string& run, const std::string& as) const {
    const std::vector<double> got = losses(run);
    const std::vector<double> expected = losses(as);
    ASSERT_EQ(expected.size(), 4U);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(got[i], expected[i], 1e-4 * expected[i]) << run << " " << i;
  }
};

TEST_F(GpuRuns, over_nccl_in_any_layout_are_the_run_of_one_rank_on_the_cpu) {
  ASSERT_EQ(train(1, "cpu", "cpu", 4).code, 0);

  for (const auto& [ranks, expert] : {std::pair(1, 1), std::pair(2, 1), std::pair(2, 2), std::pair(4, 2)}) {
    const std::string run = str("gpus-", ranks, "-", expert);
    const Outcome outcome = train(ranks, run, "cuda", 4, {str("parallel.expert=", expert)});

    ASSERT_EQ(outcome.code, 0) << outcome;
    EXPECT_THAT(outcome.err, HasSubstr("computing on GPU 0 (emulated)"));
    expect_same_losses(run, "cpu");
  }
}

TEST_F(GpuRuns, of_more_ranks_than_gpus_are_refused_unless_they_share) {
  const Outcome refused = train(5, "five", "cuda", 4, {"data.batch_pairs=5"});

  EXPECT_EQ(refused.code, 64) << refused;
  EXPECT_THAT(refused.err, HasSubstr("every rank must have a GPU of its own, got 4 GPUs for 5 ranks on this node"));

  ASSERT_EQ(train(1, "cpu", "cpu", 4, {"data.batch_pairs=5"}).code, 0);
  const Outcome shared = train(5, "five", "cuda", 4, {"data.batch_pairs=5", "dist.share_gpu=true"});
  ASSERT_EQ(shared.code, 0) << shared;
  expect_same_losses("five", "cpu");
}

TEST_F(GpuRuns, that_change_their_device_go_on_as_if_they_had_not) {
  ASSERT_EQ(train(2, "cuda", "cuda", 4).code, 0);

  for (const auto& [first, then] : {std::pair("cuda", "cpu"), std::pair("cpu", "cuda")}) {
    const std::string run = str("from-", first);
    ASSERT_EQ(train(2, run, first, 2).code, 0);
    const Outcome resumed = train(2, run, then, 4);

    ASSERT_EQ(resumed.code, 0) << resumed;
    EXPECT_THAT(resumed.err, HasSubstr("continuing at step 2"));
    expect_same_losses(run, "cuda");
  }
}

}  // namespace
}  // namespace coterie::test
