// Training as a user does it: a run from start to end, its lock, resuming, preemption, and ranks.
#include <ATen/Context.h>
#include <sys/stat.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/run_lock.h"
#include "model/checkpoint.h"
#include "tests/cli/workspace.h"

namespace coterie::test {
namespace {

using testing::HasSubstr;

class TrainCommand : public Workspace {
 protected:
  void SetUp() override {
    Workspace::SetUp();
    if (!IsSkipped()) build_corpus();
  }

  /// Steps of the lines of metrics.jsonl that have a key.
  [[nodiscard]] std::vector<int> steps_with(const std::string& key) const {
    std::vector<int> steps;
    std::istringstream lines(read("runs/tiny/metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const auto object = nlohmann::json::parse(line);
      if (object.contains(key)) steps.push_back(object["step"].get<int>());
    }
    return steps;
  }
  [[nodiscard]] std::vector<double> losses() const {
    std::vector<double> losses;
    std::istringstream lines(read("runs/tiny/metrics.jsonl"));
    for (std::string line; std::getline(lines, line);)
      if (const auto object = nlohmann::json::parse(line); object.contains("loss")) losses.push_back(object["loss"]);
    return losses;
  }
};

TEST_F(TrainCommand, a_run_leaves_config_metrics_checkpoints_and_a_result) {
  const Outcome outcome = coterie({"train", "run.toml", "json=result.json"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("run runs/tiny: finished at step 4, best at step "));
  EXPECT_EQ(steps_with("loss"), (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(steps_with("validation"), (std::vector<int>{0, 2, 4}));
  EXPECT_NO_THROW(model::verify_checkpoint(checkpoint(4)));
  EXPECT_THAT(read("runs/tiny/config.toml"), HasSubstr("# command: "));
  const auto result = nlohmann::json::parse(read("result.json"));
  EXPECT_EQ(result["ending"], "finished");
  EXPECT_EQ(result["step"], 4);
  // A learning rate of 0.01 on a tiny model: the loss moves.
  EXPECT_NE(losses().front(), losses().back());
}

// 15 pairs of neighbours in each of two domains.
TEST_F(TrainCommand, pairs_that_fit_no_full_batch_are_counted) {
  const Outcome outcome = coterie({"train", "run.toml"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_EQ(steps_with("dropped_pairs"), std::vector<int>{1});
  const auto line = nlohmann::json::parse([&] {
    const std::string metrics = read("runs/tiny/metrics.jsonl");
    const std::size_t begin = metrics.rfind('\n', metrics.find("dropped_pairs")) + 1;
    return metrics.substr(begin, metrics.find('\n', begin) - begin);
  }());
  const int batches = line["batches"];
  const int dropped = line["dropped_pairs"];
  EXPECT_EQ(4 * batches + dropped, 2 * (kTrainDocuments - 1));
  EXPECT_THAT(outcome.err, HasSubstr(str("epoch 0: ", batches, " batches, ", dropped, " pairs left out")));
}

TEST_F(TrainCommand, the_command_line_is_kept_on_one_line_that_a_shell_takes) {
  ASSERT_EQ(coterie({"train", "run.toml", "data.sources=[\n'plain:source']", "experts.unknown_domain=error"}).code, 0);

  EXPECT_THAT(read("runs/tiny/config.toml"),
              HasSubstr(R"( train run.toml $'data.sources=[\x0a\'plain:source\']' experts.unknown_domain=error)"
                        "\n#"));
  const Outcome outcome = coterie({"eval", "runs/tiny"});
  EXPECT_EQ(outcome.code, 0) << outcome;
}

TEST_F(TrainCommand, a_runs_own_config_repeats_it_exactly) {
  ASSERT_EQ(coterie({"train", "run.toml"}).code, 0);
  const std::vector<double> first = losses();
  fs::rename(run_folder(), root() / "first");

  const Outcome again = coterie({"train", "first/config.toml"});

  ASSERT_EQ(again.code, 0) << again;
  EXPECT_EQ(losses(), first);
}

TEST_F(TrainCommand, a_finished_run_is_not_continued) {
  ASSERT_EQ(coterie({"train", "run.toml"}).code, 0);
  const std::string metrics = read("runs/tiny/metrics.jsonl");

  const Outcome again = coterie({"train", "run.toml"});

  EXPECT_EQ(again.code, 0) << again;
  EXPECT_EQ(read("runs/tiny/metrics.jsonl"), metrics);
}

TEST_F(TrainCommand, a_run_that_was_cut_goes_on_as_if_it_had_not_been) {
  ASSERT_EQ(coterie({"train", "run.toml", "train.keep=9"}).code, 0);
  const std::vector<double> whole = losses();
  const std::string last = read_file(checkpoint(4) / "MANIFEST");
  fs::remove_all(checkpoint(4));

  const Outcome resumed = coterie({"train", "run.toml", "train.keep=9", "resume=must"});

  ASSERT_EQ(resumed.code, 0) << resumed;
  EXPECT_THAT(resumed.err, HasSubstr("continuing at step 2"));
  EXPECT_EQ(losses(), whole);
  EXPECT_EQ(steps_with("loss"), (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(steps_with("validation"), (std::vector<int>{0, 2, 4}));
  // The hashes of weights, moments and state.
  EXPECT_EQ(read_file(checkpoint(4) / "MANIFEST"), last);
}

TEST_F(TrainCommand, a_damaged_last_checkpoint_is_passed_over_with_a_warning) {
  ASSERT_EQ(coterie({"train", "run.toml", "train.keep=9"}).code, 0);
  fs::resize_file(checkpoint(4) / "dense.safetensors", 99);

  const Outcome resumed = coterie({"train", "run.toml", "train.keep=9"});

  ASSERT_EQ(resumed.code, 0) << resumed;
  EXPECT_THAT(resumed.err, HasSubstr("step-00000004' is not usable"));
  EXPECT_THAT(resumed.err, HasSubstr("continuing at step 2"));
  EXPECT_NO_THROW(model::verify_checkpoint(checkpoint(4)));
}

TEST_F(TrainCommand, when_all_checkpoints_are_damaged_it_is_65_and_nothing_is_overwritten) {
  ASSERT_EQ(coterie({"train", "run.toml", "train.keep=9"}).code, 0);
  for (const int step : {2, 4}) fs::remove(checkpoint(step) / "MANIFEST");

  expect_refused({"train", "run.toml"}, Exit::data, {"none of 2 checkpoints is usable"});
}

TEST_F(TrainCommand, a_run_started_again_before_its_first_checkpoint_measures_step_0_once) {
  ASSERT_EQ(coterie({"train", "run.toml"}).code, 0);
  fs::remove_all(run_folder() / "checkpoints");

  ASSERT_EQ(coterie({"train", "run.toml"}).code, 0);

  EXPECT_EQ(steps_with("validation"), (std::vector<int>{0, 2, 4}));
  EXPECT_EQ(steps_with("loss"), (std::vector<int>{1, 2, 3, 4}));
}

TEST_F(TrainCommand, a_run_directory_in_use_is_73_and_names_the_owner) {
  {
    const RunLock lock(run_folder(), "process 4711 on elsewhere");
    expect_refused({"train", "run.toml"}, Exit::locked, {"runs/tiny", "in use by process 4711 on elsewhere"});
  }
  EXPECT_EQ(coterie({"train", "run.toml"}).code, 0);
}

TEST_F(TrainCommand, a_gpu_that_is_not_there_is_64_unless_the_choice_is_free) {
  if (at::hasCUDA()) GTEST_SKIP() << "there is a GPU";

  expect_refused({"train", "run.toml", "device=cuda"}, Exit::config, {"device is cuda", "there is no GPU: "});
  EXPECT_EQ(coterie({"train", "run.toml", "device=auto"}).code, 0);
}

TEST_F(TrainCommand, resume_never_refuses_a_directory_that_holds_a_run) {
  ASSERT_EQ(coterie({"train", "run.toml", "resume=never"}).code, 0);
  expect_refused({"train", "run.toml", "resume=never"}, Exit::locked, {"resume is 'never'", "runs/tiny"});

  fs::remove(run_folder() / "config.toml");
  expect_refused({"train", "run.toml", "resume=never"}, Exit::locked, {"resume is 'never'", "runs/tiny"});
}

TEST_F(TrainCommand, resume_must_refuses_a_directory_without_a_checkpoint_and_makes_none) {
  expect_refused({"train", "run.toml", "resume=must"}, Exit::config, {"resume is 'must'", "runs/tiny"});
  EXPECT_FALSE(exists("runs"));
}

TEST_F(TrainCommand, a_checkpoint_of_other_batches_is_64_and_the_runs_config_stays) {
  ASSERT_EQ(coterie({"train", "run.toml"}).code, 0);
  const std::string config = read("runs/tiny/config.toml");

  expect_refused({"train", "run.toml", "data.batch_pairs=8", "train.steps=8"}, Exit::config, {"data.batch_pairs was"});

  EXPECT_EQ(read("runs/tiny/config.toml"), config);
}

TEST_F(TrainCommand, a_checkpoint_of_another_model_is_64_and_the_runs_config_stays) {
  ASSERT_EQ(coterie({"train", "run.toml"}).code, 0);
  const std::string config = read("runs/tiny/config.toml");

  expect_refused({"train", "run.toml", "experts.layers=none", "train.steps=8"}, Exit::config,
                 {R"(experts.layers was ["all"], got ["none"])", "the model's expert_layers was [0,1], got []"});

  EXPECT_EQ(read("runs/tiny/config.toml"), config);
}

// The order of domains in the corpus is that of the source; shapes and counts are the same in either.
TEST_F(TrainCommand, a_checkpoint_of_other_domains_is_64) {
  ASSERT_EQ(coterie({"train", "run.toml"}).code, 0);
  for (const char* file : {"source/documents.jsonl", "source/pairs.jsonl"}) {
    std::string text = read(file);
    for (std::size_t at = 0; (at = text.find("physics", at)) != std::string::npos;) text.replace(at, 7, "poetics");
    write(file, text);
  }
  build_corpus();

  expect_refused(
      {"train", "run.toml", "train.steps=8"}, Exit::config,
      {"data.corpus (sha256) was ", R"(the model's domains was ["biology","physics"], got ["biology","poetics"])"});
}

TEST_F(TrainCommand, a_batch_larger_than_the_training_pairs_is_an_error_that_names_the_key) {
  const Outcome outcome = coterie({"train", "run.toml", "data.batch_pairs=64"});

  EXPECT_EQ(outcome.code, 65) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("data.batch_pairs"));
}

TEST_F(TrainCommand, a_run_folder_that_cannot_be_written_is_74) {
  write("runs", "a file in its place");

  expect_refused({"train", "run.toml"}, Exit::io, {"runs/tiny"});
}

TEST_F(TrainCommand, a_checkpoint_folder_that_cannot_be_written_is_74) {
  write("runs/tiny/checkpoints", "a file in its place");

  const Outcome outcome = coterie({"train", "run.toml"});

  EXPECT_EQ(outcome.code, 74) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("runs/tiny/checkpoints"));
}

TEST_F(TrainCommand, preempted_by_a_signal_it_saves_exits_75_and_goes_on_later) {
  const std::vector<std::string> arguments = {"train", "run.toml", "train.steps=2000", "train.save_every=100000",
                                              "train.eval_every=100000"};
  auto program = start(arguments);
  // The first step has been made once its line is in the metrics.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto stepping = [&] {
    return exists("runs/tiny/metrics.jsonl") && read("runs/tiny/metrics.jsonl").find("\"loss\"") != std::string::npos;
  };
  while (!stepping() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  program->signal(SIGUSR1);
  program->signal(SIGUSR1);

  const Outcome preempted = program->wait();

  ASSERT_EQ(preempted.code, 75) << preempted;
  EXPECT_THAT(preempted.out, HasSubstr("preempted at step "));
  const auto latest = model::latest_checkpoint(run_folder() / "checkpoints");
  ASSERT_TRUE(latest.has_value());
  const auto state = nlohmann::json::parse(read_file(*latest / "state.json"));
  const int step = state["step"];
  EXPECT_EQ(steps_with("loss").back(), step);

  const Outcome resumed = coterie({"train", "run.toml", str("train.steps=", step + 1)});
  EXPECT_EQ(resumed.code, 0) << resumed;
  EXPECT_THAT(resumed.err, HasSubstr(str("continuing at step ", step)));
  EXPECT_EQ(steps_with("loss").size(), static_cast<std::size_t>(step) + 1);
}

TEST_F(TrainCommand, killed_it_lets_go_of_the_run) {
  auto program = start({"train", "run.toml", "train.steps=100000", "train.save_every=1", "train.eval_every=100000"});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!exists("runs/tiny/checkpoints/step-00000003") && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  program->signal(SIGKILL);
  ASSERT_EQ(program->wait().code, 128 + SIGKILL);

  const auto latest = model::latest_checkpoint(run_folder() / "checkpoints");
  ASSERT_TRUE(latest.has_value());
  const int step = nlohmann::json::parse(read_file(*latest / "state.json"))["step"];
  const Outcome resumed = coterie({"train", "run.toml", str("train.steps=", step + 1)});

  EXPECT_EQ(resumed.code, 0) << resumed;
  EXPECT_THAT(resumed.err, HasSubstr(str("continuing at step ", step)));
}

TEST_F(TrainCommand, on_two_ranks_with_an_expert_on_each_gives_the_loss_of_one_rank) {
  ASSERT_EQ(coterie({"train", "run.toml"}).code, 0);
  const std::vector<double> one = losses();
  fs::remove_all(run_folder());

  const Outcome outcome = mpirun(2, {"train", "run.toml", "parallel.expert=2"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_TRUE(fs::exists(checkpoint(4) / "experts-1.safetensors"));
  const std::vector<double> two = losses();
  ASSERT_EQ(two.size(), one.size());
  // The bound of DESIGN 4 between numbers of ranks.
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(two[i], one[i], 1e-5 * one[i]) << i;

  // Any layout continues any other's checkpoint.
  const Outcome resumed = coterie({"train", "run.toml", "train.steps=5"});
  EXPECT_EQ(resumed.code, 0) << resumed;
  EXPECT_THAT(resumed.err, HasSubstr("continuing at step 4"));
}

TEST_F(TrainCommand, a_model_that_is_not_finite_is_78_on_one_rank_and_on_two) {
  auto weights = tiny_weights(tiny_spec(), 1);
  weights.at("encoder.layer.1.output.LayerNorm.bias").fill_(NAN);
  std::vector<model::NamedTensor> tensors;
  for (const auto& [name, tensor] : weights) tensors.push_back({name, tensor});
  fs::remove(root() / "hf" / "model.safetensors");
  (void)model::write_safetensors(*real_file_ops(), root() / "hf" / "model.safetensors", tensors);

  for (const int ranks : {0, 2}) {
    const Outcome outcome = ranks == 0 ? coterie({"train", "run.toml"}) : mpirun(ranks, {"train", "run.toml"});
    EXPECT_EQ(outcome.code, 78) << outcome;
    EXPECT_THAT(outcome.err, HasSubstr("train: an embedding is not finite (step 0)")) << outcome;
  }
}

/// How often `part` occurs.
int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

TEST_F(TrainCommand, errors_of_ranks_keep_their_exit_code_and_are_told_once) {
  const Outcome axis = mpirun(2, {"train", "run.toml", "parallel.expert=3"});
  EXPECT_EQ(axis.code, 64) << axis;
  EXPECT_EQ(count(axis.err, "expert axis (3) must divide the number of ranks (2) (parallel.expert)"), 1) << axis;

  const Outcome key = mpirun(2, {"train", "run.toml", "optim.lrr=1"});
  EXPECT_EQ(key.code, 64) << key;
  EXPECT_EQ(count(key.err, "unknown key 'optim.lrr'"), 1) << key;

  const RunLock lock(run_folder(), "somebody");
  const Outcome locked = mpirun(2, {"train", "run.toml"});
  EXPECT_EQ(locked.code, 73) << locked;
  EXPECT_EQ(count(locked.err, "in use by somebody"), 1) << locked;
}

TEST_F(TrainCommand, preempted_on_two_ranks_the_launcher_exits_75) {
  auto program = start({"train", "run.toml", "parallel.expert=2", "train.steps=100000", "train.save_every=100000",
                        "train.eval_every=100000"},
                       2);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!(exists("runs/tiny/metrics.jsonl") && !steps_with("loss").empty()) &&
         std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  program->signal(SIGUSR1);

  const Outcome preempted = program->wait();

  EXPECT_EQ(preempted.code, 75) << preempted;
  EXPECT_TRUE(model::latest_checkpoint(run_folder() / "checkpoints").has_value());
}

}  // namespace
}  // namespace coterie::test
