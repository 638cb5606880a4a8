// A run continued from any of its checkpoints ends, bit for bit, where the uninterrupted run ends. Runs at 1, 2 and 4
// ranks.
#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include "base/file_ops.h"
#include "dist/together.h"
#include "model/checkpoint.h"
#include "tests/harness/shared_files.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/tiny_run.h"
#include "tests/harness/unsynced_file_ops.h"
#include "train/trainer.h"

namespace coterie::train {
namespace {

constexpr std::int64_t kSteps = 12;

class Resume : public testing::Test {
 protected:
  Resume() : mesh_({}, {}) {
    // Rank 0 makes the folder and its inputs; the others are told where it is.
    folder_ = dist::on_leader(mesh_.world(), [&] {
      temporary_ = std::make_unique<test::TemporaryFolder>();
      test::write_tiny_inputs(temporary_->path());
      return temporary_->path().string();
    });
    parallel_.expert = std::min(2, mesh_.world().size());  // with four ranks both axes have two
  }
  ~Resume() override { mesh_.world().barrier(); }

  Outcome run(const std::string& name, std::int64_t expert_axis) {
    return run(test::tiny_run_options(folder_, name, kSteps), expert_axis);
  }
  static Outcome run(const RunOptions& options, std::int64_t expert_axis) {
    dist::Mesh mesh({.expert = expert_axis}, {});
    Trainer trainer(options, "# config\n", mesh, real_file_ops());
    return trainer.run();
  }

  fs::path checkpoint(const std::string& name, std::int64_t step) const {
    return folder_ / "runs" / name / "checkpoints" / model::checkpoint_name(step);
  }

  // Everything the manifest hashes: model, moments, cursor, early stopping.
  std::string manifest(const std::string& name, std::int64_t step) const {
    return read_file(checkpoint(name, step) / "MANIFEST");
  }

  // Losses and gradient norms of the steps, as they were written.
  std::vector<std::pair<double, double>> curve(const std::string& name) const {
    std::vector<std::pair<double, double>> values;
    for (const auto& line : test::read_json_lines(folder_ / "runs" / name / "metrics.jsonl"))
      if (line.contains("loss")) values.emplace_back(line.at("loss"), line.at("gradient_norm"));
    return values;
  }

  // Validation results, as they were written.
  std::vector<std::string> evaluations(const std::string& name) const {
    std::vector<std::string> lines;
    for (const auto& line : test::read_json_lines(folder_ / "runs" / name / "metrics.jsonl"))
      if (line.contains("validation")) lines.push_back(line.dump());
    return lines;
  }

  // One life of a run: it ends after a step, because the last rank was told to stop.
  Outcome live_one_step(const RunOptions& options) {
    dist::Mesh mesh(parallel_, {});
    const bool stopping = mesh.world().rank() == mesh.world().size() - 1;
    Trainer trainer(options, "# config\n", mesh, test::unsynced_file_ops(), [=] { return stopping; });
    return trainer.run();
  }

  // A run directory as it stood right after `step` of another run.
  void copy_run_at(const std::string& from, const std::string& to, std::int64_t step) {
    (void)dist::on_leader(mesh_.world(), [&] {
      const fs::path target = folder_ / "runs" / to;
      fs::create_directories(target / "checkpoints");
      fs::copy(folder_ / "runs" / from / "metrics.jsonl", target / "metrics.jsonl");
      fs::copy(folder_ / "runs" / from / "config.toml", target / "config.toml");
      fs::copy(checkpoint(from, step), target / "checkpoints" / model::checkpoint_name(step));
      return std::string();
    });
  }

  // Runs `options` as "whole", and "resumed" from its fifth step.
  void expect_exact_from_step_5(RunOptions options) {
    ASSERT_EQ(run(options, parallel_.expert).state.step, kSteps);
    copy_run_at("whole", "resumed", 5);
    options.run = "resumed";

    (void)run(options, parallel_.expert);

    EXPECT_EQ(manifest("resumed", kSteps), manifest("whole", kSteps));
    EXPECT_EQ(curve("resumed"), curve("whole"));
  }

  dist::Mesh mesh_;
  dist::ParallelOptions parallel_;
  std::unique_ptr<test::TemporaryFolder> temporary_;
  fs::path folder_;
};

TEST_F(Resume, from_any_checkpoint_is_bit_exact) {
  const Outcome whole = run("whole", parallel_.expert);
  ASSERT_EQ(whole.state.step, kSteps);
  ASSERT_GT(whole.state.cursor.epoch + whole.state.cursor.window, 0) << "the run must cross a window";

  for (const std::int64_t step : {1, 5, 8, 11}) {
    const std::string name = str("from-", step);
    copy_run_at("whole", name, step);

    const Outcome resumed = run(name, parallel_.expert);

    EXPECT_EQ(resumed.state.best_step, whole.state.best_step) << "from step " << step;
    EXPECT_EQ(manifest(name, kSteps), manifest("whole", kSteps)) << "from step " << step;
    EXPECT_EQ(curve(name), curve("whole")) << "from step " << step;
  }
}

// Noise on gates, the balance's biases, the head's moments and the domains' means: whatever a step leaves behind.
TEST_F(Resume, with_every_kind_of_expert_state_is_bit_exact) {
  RunOptions all = test::tiny_run_options(folder_, "whole", kSteps);
  all.experts = {.router = experts::RouterKind::top_k_sentence,
                 .count = 4,
                 .top_k = 2,
                 .mlp = experts::MlpKind::glu,
                 .shared = true,
                 .copy_noise = 0.1,
                 .jitter = 0.1,
                 .noise = 0.2,
                 .unknown_domain = "nearest"};
  all.head = {.kind = experts::HeadKind::sb_moe, .experts = 4};
  all.optim.router_balance_rate = 0.01;
  expect_exact_from_step_5(all);
  const model::CheckpointReader reader(checkpoint("whole", kSteps));
  EXPECT_GT(reader.read("encoder.layer.1.router.balance.bias").abs().max().item<float>(), 0.0F);
  EXPECT_EQ(reader.read("domains.mean_embedding").size(0), 2);
}

TEST_F(Resume, in_bf16_with_learned_routes_in_pieces_and_rare_checkpoints_is_bit_exact) {
  RunOptions all = test::tiny_run_options(folder_, "whole", kSteps);
  all.model.precision = model::Precision::bf16;
  all.experts = {.router = experts::RouterKind::top_k_token, .count = 4, .top_k = 2, .domain_tokens = false};
  all.train.micro_batch_tokens = 40;
  all.train.save_every = 5;
  expect_exact_from_step_5(all);
}

TEST_F(Resume, two_runs_of_one_config_are_bit_equal) {
  (void)run("one", parallel_.expert);

  (void)run("two", parallel_.expert);

  EXPECT_EQ(manifest("one", kSteps), manifest("two", kSteps));
}

TEST_F(Resume, a_finished_run_is_left_as_it_is) {
  (void)run("done", parallel_.expert);
  const std::string before = manifest("done", kSteps);

  const Outcome again = run("done", parallel_.expert);

  EXPECT_EQ(again.ending, Ending::finished);
  EXPECT_EQ(again.state.step, kSteps);
  EXPECT_EQ(manifest("done", kSteps), before);
}

TEST_F(Resume, a_run_stops_early_when_validation_no_longer_improves) {
  RunOptions options = test::tiny_run_options(folder_, "patient", kSteps);
  options.optim.lr = 0.0;  // nothing changes: the first evaluation stays the best
  options.loss.scale_lr = 0.0;
  options.train.eval_every = 2;
  options.train.patience = 2;
  dist::Mesh mesh(parallel_, {});
  Trainer trainer(options, "# config\n", mesh, real_file_ops());

  const Outcome outcome = trainer.run();

  EXPECT_EQ(outcome.ending, Ending::stopped_early);
  EXPECT_EQ(outcome.state.best_step, 2);
  EXPECT_EQ(outcome.state.step, 6);
}

TEST_F(Resume, preempted_after_every_step_is_bit_exact_and_no_evaluation_comes_before_the_checkpoint) {
  const Outcome whole = run("whole", parallel_.expert);
  const RunOptions options = test::tiny_run_options(folder_, "in-pieces", kSteps);

  Outcome life;
  for (std::int64_t step = 1; step <= kSteps; ++step) {
    life = live_one_step(options);
    ASSERT_EQ(life.ending, Ending::preempted);
    ASSERT_EQ(life.state.step, step);
    EXPECT_EQ(life.state.evaluation_due, step % options.train.eval_every == 0) << "step " << step;
    EXPECT_EQ(read_training_state(checkpoint("in-pieces", step)).evaluation_due, life.state.evaluation_due);
    // That of step 0, and those of earlier lives.
    EXPECT_EQ(evaluations("in-pieces").size(), 1 + static_cast<std::size_t>((step - 1) / options.train.eval_every));
  }
  life = live_one_step(options);

  EXPECT_EQ(life.ending, Ending::finished);
  EXPECT_EQ(life.state.best_step, whole.state.best_step);
  for (std::int64_t step = 1; step <= kSteps; ++step)
    EXPECT_EQ(manifest("in-pieces", step), manifest("whole", step)) << "step " << step;
  EXPECT_EQ(curve("in-pieces"), curve("whole"));
  EXPECT_EQ(evaluations("in-pieces"), evaluations("whole"));
}

TEST_F(Resume, an_evaluation_that_was_put_off_stops_the_run_early_all_the_same) {
  RunOptions options = test::tiny_run_options(folder_, "whole", kSteps);
  options.optim.lr = 0.0;  // nothing changes: the first evaluation stays the best
  options.loss.scale_lr = 0.0;
  options.train.eval_every = 2;
  options.train.patience = 2;
  dist::Mesh mesh(parallel_, {});
  const Outcome whole = Trainer(options, "# config\n", mesh, test::unsynced_file_ops()).run();
  options.run = "in-pieces";

  Outcome life;
  for (int lives = 0; lives < 7; ++lives) life = live_one_step(options);

  EXPECT_EQ(life.ending, Ending::stopped_early);
  EXPECT_EQ(life.state.step, 6);
  EXPECT_EQ(life.state.best_step, 2);
  EXPECT_EQ(life.state.evaluations_since_best, 2);
  EXPECT_EQ(whole.state.step, 6);
  EXPECT_EQ(manifest("in-pieces", 6), manifest("whole", 6));
  EXPECT_EQ(evaluations("in-pieces"), evaluations("whole"));
}

// A run may die between an evaluation and the checkpoint behind it: the evaluation is then made again.
TEST_F(Resume, an_evaluation_that_is_made_again_is_written_once) {
  (void)run("whole", parallel_.expert);
  const RunOptions options = test::tiny_run_options(folder_, "died", kSteps);
  for (std::int64_t step = 1; step <= options.train.eval_every; ++step) (void)live_one_step(options);
  (void)dist::on_leader(mesh_.world(), [&] {
    std::ofstream(folder_ / "runs" / "died" / "metrics.jsonl", std::ios::app) << evaluations("whole")[1] << "\n";
    return std::string();
  });

  (void)run("died", parallel_.expert);

  EXPECT_EQ(evaluations("died"), evaluations("whole"));
  EXPECT_EQ(manifest("died", kSteps), manifest("whole", kSteps));
}

TEST_F(Resume, another_layout_continues_the_same_batches) {
  (void)run("experts-apart", parallel_.expert);
  copy_run_at("experts-apart", "experts-together", 6);

  const Outcome resumed = run("experts-together", 1);

  EXPECT_EQ(resumed.state.step, kSteps);
  const auto expected = curve("experts-apart");
  const auto got = curve("experts-together");
  ASSERT_EQ(got.size(), expected.size());
  // Other sums of gradients, so equal up to rounding: the promised bound is 1e-5.
  for (std::size_t s = 0; s < got.size(); ++s)
    EXPECT_NEAR(got[s].first, expected[s].first, 1e-5 * expected[s].first) << "step " << s + 1;
}

}  // namespace
}  // namespace coterie::train
