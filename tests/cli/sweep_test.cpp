// Sweeps as a user runs them: real cells, killed, continued, failing, on ranks.
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "base/run_lock.h"
#include "sweep/cell_files.h"
#include "tests/cli/workspace.h"

namespace coterie::test {
namespace {

using sweep::Stage;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class SweepCommand : public Workspace {
 protected:
  void SetUp() override {
    Workspace::SetUp();
    if (IsSkipped()) return;
    write("study.toml", str(read("run.toml"), R"([sweep]
grid = ["loss.kind=symmetric,mnr", "seed=0,1"]
measures = ["all.roc_auc", "biology+physics.average_precision"]
)"));
  }

  [[nodiscard]] fs::path cell(const std::string& name) const { return root() / "runs" / "study" / name; }
  [[nodiscard]] std::vector<std::string> cells() const {
    return {"loss.kind=symmetric,seed=0", "loss.kind=symmetric,seed=1", "loss.kind=mnr,seed=0", "loss.kind=mnr,seed=1"};
  }
  [[nodiscard]] int finished() const {
    int count = 0;
    for (const std::string& name : cells()) count += sweep::state_of(cell(name)).stage == Stage::finished ? 1 : 0;
    return count;
  }
  /// Hashes of everything that a cell's last checkpoint holds.
  [[nodiscard]] std::string manifest(const std::string& name) const {
    return read_file(cell(name) / "checkpoints" / "step-00000004" / "MANIFEST");
  }
  /// Waits until something holds, a minute at most.
  template <class Condition>
  static void wait_until(const Condition& condition) {
    for (int i = 0; i < 6000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_TRUE(condition());
  }
};

TEST_F(SweepCommand, a_grid_is_built_trained_evaluated_and_compared) {
  const Outcome outcome = coterie({"sweep", "study.toml", "json=result.json",
                                   R"(sweep.composed=["mixed: biology=loss.kind=symmetric physics=loss.kind=mnr"])"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_EQ(finished(), 4);
  for (const std::string& name : cells()) {
    EXPECT_TRUE(fs::exists(cell(name) / "config.toml")) << name;
    const auto cost = sweep::read_result(cell(name))->cost;
    EXPECT_GT(cost.seconds, 0.0);
    EXPECT_GT(cost.core_seconds, 0.0);
    EXPECT_GT(cost.peak_mib, 1.0);
  }
  EXPECT_THAT(outcome.out, HasSubstr("two-sided paired t-test"));
  EXPECT_THAT(outcome.out, HasSubstr("loss.kind=mnr"));
  const auto json = nlohmann::json::parse(read("result.json"));
  // Two combinations, what is composed of them, and the untouched model; two measures.
  EXPECT_EQ(json["comparisons"].size(), 8U);
  const auto of = [&](const char* loss, const char* seed, const char* domain) {
    const auto eval = nlohmann::json::parse(read(str("runs/study/loss.kind=", loss, ",seed=", seed, "/eval.json")));
    return eval["trained"][domain]["average_precision"].get<double>();
  };
  EXPECT_EQ(json["comparisons"][5]["cell"], "mixed");
  EXPECT_EQ(json["comparisons"][5]["mean"], ((of("symmetric", "0", "biology") + of("mnr", "0", "physics")) / 2 +
                                             (of("symmetric", "1", "biology") + of("mnr", "1", "physics")) / 2) /
                                                2);
  EXPECT_EQ(json["comparisons"][2]["cell"], "loss.kind=mnr");
  EXPECT_TRUE(json["comparisons"][2]["p_paired_t"].is_number());
  EXPECT_EQ(read("runs/study/table.json"), read("result.json"));
  // What it did is what `coterie eval` says of the run.
  const Outcome eval = coterie({"eval", "runs/study/loss.kind=mnr,seed=1", "json=again.json"});
  ASSERT_EQ(eval.code, 0) << eval;
  EXPECT_EQ(nlohmann::json::parse(read("again.json"))["trained"]["all"]["roc_auc"],
            json["cells"][3]["values"]["all.roc_auc"]);
}

// Once beside the cells, on the same pairs: what `coterie eval` of a cell measures beside its model.
TEST_F(SweepCommand, the_untouched_model_and_word_counts_stand_in_the_same_table) {
  const std::string baselines = "eval.baselines=[\"tfidf_5\",\"bm25\"]";

  const Outcome outcome = coterie({"sweep", "study.toml", "loss.kind=mnr", baselines});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("bm25: k1 = 0.9, b = 0.4"));
  ASSERT_EQ(coterie({"eval", "runs/study/loss.kind=mnr,seed=1", "json=again.json", baselines}).code, 0);
  const auto again = nlohmann::json::parse(read("again.json"));
  const auto table = nlohmann::json::parse(read("runs/study/table.json"));
  for (const char* name : {"untouched", "tfidf_5", "bm25"}) {
    const auto row = std::find_if(table["comparisons"].begin(), table["comparisons"].end(),
                                  [&](const auto& r) { return r["cell"] == name && r["measure"] == "all.roc_auc"; });
    ASSERT_NE(row, table["comparisons"].end()) << name;
    EXPECT_EQ((*row)["mean"], again[name]["all"]["roc_auc"]) << name;
    EXPECT_TRUE((*row)["difference"].is_number());
  }
  const auto of_cell = nlohmann::json::parse(read("runs/study/loss.kind=mnr,seed=1/eval.json"));
  EXPECT_FALSE(of_cell.contains("untouched"));
  EXPECT_FALSE(of_cell.contains("bm25"));
  EXPECT_EQ(table["cells"][2]["name"], "references");
  EXPECT_GT(table["cells"][2]["core_seconds"].get<double>(), 0.0);

  // Other baselines are other references; the cells stay.
  expect_refused({"sweep", "study.toml", "loss.kind=mnr", "eval.baselines=bm25"}, Exit::config,
                 {"runs/study/references", "eval.baselines was"});
  expect_refused({"sweep", "study.toml", "eval.baselines=tf"}, Exit::config, {"eval.baselines"});
  EXPECT_EQ(coterie({"sweep", "study.toml", "loss.kind=mnr", "eval.untouched=false"}).code, 0);
}

TEST_F(SweepCommand, the_cells_and_their_states_can_be_listed) {
  const Outcome before = coterie({"sweep", "study.toml", "--list"});
  EXPECT_EQ(before.code, 0) << before;
  EXPECT_THAT(before.out, HasSubstr("  3  loss.kind=mnr,seed=1"));
  EXPECT_THAT(before.out, Not(HasSubstr("all cells")));
  const std::string more = coterie({"sweep", "study.toml", "--list", "optim.lr=0.5"}).out;
  EXPECT_THAT(more, StartsWith("all cells: optim.lr=0.5\n\n"));
  EXPECT_EQ(more.substr(more.find("job")), before.out);
  EXPECT_FALSE(exists("runs"));
  EXPECT_THAT(coterie({"sweep", "study.toml", "--status"}).out, HasSubstr("waiting"));

  ASSERT_EQ(coterie({"sweep", "study.toml", "job=2"}).code, 0);

  EXPECT_EQ(finished(), 1);
  EXPECT_EQ(sweep::state_of(cell("loss.kind=mnr,seed=0")).stage, Stage::finished);
  EXPECT_THAT(coterie({"sweep", "study.toml", "--status"}).out, HasSubstr("finished"));
}

// A cell is taken to run while somebody holds its lock. `script`, of util-linux, gives the program a terminal.
TEST_F(SweepCommand, states_are_drawn_anew_on_a_terminal_while_a_cell_runs) {
  if (shell("command -v script").code != 0) GTEST_SKIP() << "there is no `script` here";
  ASSERT_EQ(coterie({"sweep", "study.toml", "job=2"}).code, 0);
  fs::remove(cell("loss.kind=mnr,seed=0") / "result.json");
  auto lock = std::make_unique<RunLock>(cell("loss.kind=mnr,seed=0"), "somebody");
  const std::string clear = "\x1b[H\x1b[2J";
  const auto drawings = [&] { return exists("typescript") ? count(read("typescript"), clear) : 0; };

  const std::string line = R"(script -qefc '"$COTERIE_BINARY" sweep study.toml --status' typescript)";
  std::future<Outcome> user = std::async(std::launch::async, [&] { return shell(line); });
  wait_until([&] { return drawings() >= 2; });
  lock.reset();

  EXPECT_EQ(user.get().code, 0);
  const std::string text = read("typescript");
  const std::size_t last = text.rfind(clear);
  ASSERT_NE(last, std::string::npos);
  EXPECT_THAT(text.substr(0, last), HasSubstr("running (somebody"));
  EXPECT_THAT(text.substr(last), Not(HasSubstr("running")));
}

// The same weights, moments and cursors as of a sweep that nobody disturbed, and no finished cell begun again.
TEST_F(SweepCommand, killed_in_the_middle_it_goes_on_to_the_same_end) {
  ASSERT_EQ(coterie({"sweep", "study.toml", "sweep.name=whole"}).code, 0);
  auto driver = start({"sweep", "study.toml"});
  wait_until([&] { return finished() >= 1; });
  driver->signal(SIGKILL);
  (void)driver->wait();
  std::map<std::string, std::string> before;
  for (const std::string& name : cells())
    if (const fs::path result = cell(name) / "result.json"; fs::exists(result)) before[name] = read_file(result);

  const Outcome again = coterie({"sweep", "study.toml"});

  ASSERT_EQ(again.code, 0) << again;
  EXPECT_LT(before.size(), 4U);
  EXPECT_EQ(finished(), 4);
  for (const auto& [name, result] : before) EXPECT_EQ(read_file(cell(name) / "result.json"), result);
  for (const std::string& name : cells())
    EXPECT_EQ(manifest(name), read_file(root() / "runs/whole" / name / "checkpoints" / "step-00000004" / "MANIFEST"));
}

TEST_F(SweepCommand, asked_to_stop_it_saves_exits_75_and_goes_on_later) {
  const std::vector<std::string> arguments = {"sweep",
                                              "study.toml",
                                              "loss.kind=mnr",
                                              "seed=0",
                                              "train.steps=1000",
                                              "train.save_every=100000",
                                              "train.eval_every=100000"};
  auto driver = start(arguments);
  const fs::path metrics = cell("loss.kind=mnr,seed=0") / "metrics.jsonl";
  wait_until([&] { return fs::exists(metrics) && read_file(metrics).find("\"loss\"") != std::string::npos; });
  driver->signal(SIGUSR1);

  const Outcome stopped = driver->wait();

  ASSERT_EQ(stopped.code, 75) << stopped;
  EXPECT_EQ(sweep::state_of(cell("loss.kind=mnr,seed=0")).stage, Stage::interrupted);
  EXPECT_TRUE(fs::exists(cell("loss.kind=mnr,seed=0") / "checkpoints"));
  std::vector<std::string> asking = arguments;
  asking.emplace_back("--status");
  EXPECT_THAT(coterie(asking).out, HasSubstr("interrupted"));

  const Outcome again = coterie(arguments);

  ASSERT_EQ(again.code, 0) << again;
  const auto result = sweep::read_result(cell("loss.kind=mnr,seed=0"));
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->cost.starts, 2);
  EXPECT_EQ(result->cost.unknown, 0);
  EXPECT_EQ(count(read_file(cell("loss.kind=mnr,seed=0") / "log.txt"), "continuing at step"), 1);
}

TEST_F(SweepCommand, a_failed_cell_is_named_and_its_code_is_the_sweeps) {
  const Outcome outcome = coterie({"sweep", "run.toml", "data.batch_pairs=64,4", "sweep.name=study"});

  EXPECT_EQ(outcome.code, 65) << outcome;
  // When it happens, and once more at the end.
  EXPECT_EQ(test::count(outcome.err, "data.batch_pairs=64 failed with exit code 65"), 2);
  EXPECT_EQ(sweep::state_of(cell("data.batch_pairs=4")).stage, Stage::finished);
  EXPECT_EQ(sweep::state_of(cell("data.batch_pairs=64")).stage, Stage::failed);
}

TEST_F(SweepCommand, a_table_that_cannot_be_written_hides_no_failed_cell) {
  fs::create_directories(root() / "runs" / "study" / "table.md" / "in_its_way");

  const Outcome outcome = coterie({"sweep", "run.toml", "data.batch_pairs=64", "sweep.name=study"});

  EXPECT_EQ(outcome.code, 65) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("table.md"));
  EXPECT_EQ(test::count(outcome.err, "failed with exit code 65"), 2) << outcome;
}

TEST_F(SweepCommand, what_evaluations_save_lies_with_their_cells) {
  const std::vector<std::string> arguments = {"sweep", "study.toml", "loss.kind=mnr", "eval.save=saved"};

  const Outcome outcome = coterie(arguments);

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_FALSE(exists("saved"));
  const fs::path pairs = "pairs.trained.csv";
  EXPECT_NE(read_file(cell("loss.kind=mnr,seed=0") / pairs), read_file(cell("loss.kind=mnr,seed=1") / pairs));
  // Where something is written does not make a sweep another.
  EXPECT_EQ(coterie({"sweep", "study.toml", "loss.kind=mnr", "trace=step.json"}).code, 0);
}

TEST_F(SweepCommand, layouts_run_on_their_ranks) {
  const Outcome outcome = coterie({"sweep", "run.toml", "ranks=1,2", "parallel.expert=1,2",
                                   "sweep.skip=['ranks=1 parallel.expert=2']", "sweep.name=study", "optim.lr=0.001"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_EQ(sweep::state_of(cell("ranks=2,parallel.expert=2")).stage, Stage::finished);
  EXPECT_FALSE(fs::exists(cell("ranks=1,parallel.expert=2")));
  EXPECT_THAT(read_file(cell("ranks=2,parallel.expert=2") / "config.toml"), HasSubstr("# 2 ranks"));
}

TEST_F(SweepCommand, what_cannot_be_run_is_refused_before_anything_is) {
  expect_refused({"sweep"}, Exit::config, {"1 expected", "usage: coterie sweep"});
  expect_refused({"sweep", "study.toml", "optim.lrr=1,2"}, Exit::config,
                 {"cell 'loss.kind=symmetric,optim.lrr=1,seed=0'", "did you mean 'optim.lr'?"});
  expect_refused({"sweep", "study.toml", "sweep.baseline=x"}, Exit::config, {"sweep.baseline must be one of"});
  expect_refused({"sweep", "study.toml", "run=x"}, Exit::config, {"named after their cells"});
  expect_refused({"sweep", "study.toml", "job=5"}, Exit::config, {"job must be in 0..4, got 5"});
  expect_refused({"sweep", "study.toml", "ranks=3", "parallel.expert=2"}, Exit::config,
                 {"ranks must be a multiple of parallel.expert (2), got '3'"});
  expect_refused({"sweep", "study.toml", "launcher=pbs"}, Exit::config, {"must be one of local, slurm"});
  const char* composed = "sweep.composed=['untouched: biology=loss.kind=mnr physics=loss.kind=symmetric']";
  expect_refused({"sweep", "study.toml", composed, "--list"}, Exit::config,
                 {"must have different names, got 'untouched' twice"});
  expect_refused({"sweep", "absent.toml"}, Exit::config, {"absent.toml"});
  expect_refused({"train", "study.toml"}, Exit::config, {"unknown key 'sweep'"});
}

TEST_F(SweepCommand, a_sweep_begun_with_other_settings_is_refused_with_the_keys) {
  ASSERT_EQ(coterie({"sweep", "study.toml", "job=0"}).code, 0);

  expect_refused({"sweep", "study.toml", "optim.lr=0.5"}, Exit::config,
                 {"begun with other settings", "optim.lr was 0.01, got 0.5"});
}

TEST_F(SweepCommand, every_cell_of_the_sweeps_of_the_project_resolves) {
  const char* source = std::getenv("COTERIE_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  // Some cells of each; the first is its baseline.
  const std::map<std::string, std::vector<std::string>> some_cells = {
      {"expert_count", {"dense", "experts-1", "experts-2", "experts-4", "experts-8", "experts-12"}},
      {"layout", {}},
      {"loss", {"symmetric", "symmetric-unmasked", "symmetric-same-domain", "mnr", "mnr-plus", "hard-negatives"}},
      {"n_models_vs_n_experts",
       {"dense-all", "dense-all-tokens", "experts", "only-cisi", "only-cacm", "only-vis", "only-cca"}},
      {"routing", {"dense", "domain", "token-type", "random", "sentence-top1", "token-top2", "multi-head"}},
      {"sb_moe", {"dense", "head-3", "head-6", "head-9", "head-12"}},
      {"single_vs_full", {"none", "layer-0", "layer-5", "middle", "every-second", "full"}}};
  const fs::path folder = fs::path(source) / "configs" / "sweep";
  for (const auto& entry : fs::directory_iterator(folder))
    EXPECT_TRUE(some_cells.contains(entry.path().stem().string())) << entry.path();
  for (const auto& [name, cells] : some_cells) {
    const Outcome outcome = coterie({"sweep", (folder / (name + ".toml")).string(), "--list"});
    EXPECT_EQ(outcome.code, 0) << name << outcome;
    for (const std::string& cell : cells) EXPECT_THAT(outcome.out, HasSubstr("  " + cell + ",")) << name;
    // With an axis of one's own, what the study says of its rows holds at each of its values.
    const Outcome twice = coterie({"sweep", (folder / (name + ".toml")).string(), "optim.warmup_steps=5,10", "--list"});
    EXPECT_EQ(twice.code, 0) << name << twice;
    EXPECT_THAT(twice.err, Not(HasSubstr(" W "))) << name;
    for (const std::string& cell : cells) EXPECT_THAT(twice.out, HasSubstr("  " + cell + ",")) << name;
  }
}

TEST_F(SweepCommand, its_own_settings_are_documented_and_printed) {
  const Outcome help = coterie({"sweep", "--help-config"});
  EXPECT_EQ(help.code, 0) << help;
  for (const char* key : {"launcher = ", "job = ", "sweep.grid = ", "sweep.baseline = "})
    EXPECT_THAT(help.out, HasSubstr(key));

  const Outcome print = coterie({"sweep", "study.toml", "--print-config"});
  EXPECT_EQ(print.code, 0) << print;
  EXPECT_THAT(print.out, HasSubstr("name = \"study\""));
  EXPECT_THAT(print.out, HasSubstr("[study.toml:"));
}

TEST_F(SweepCommand, sweeps_and_runs_have_reports) {
  ASSERT_EQ(coterie({"sweep", "study.toml", "seed=0"}).code, 0);

  const Outcome of_sweep = coterie({"report", "runs/study"});
  const Outcome of_run = coterie({"report", "runs/study/loss.kind=mnr,seed=0", "out=run.html"});

  EXPECT_EQ(of_sweep.code, 0) << of_sweep;
  EXPECT_EQ(of_sweep.out, "wrote runs/study/report.html\n");
  EXPECT_THAT(read("runs/study/report.html"), HasSubstr("<title>Sweep study</title>"));
  EXPECT_EQ(of_run.code, 0) << of_run;
  EXPECT_THAT(read("run.html"), HasSubstr("Training loss"));
  expect_refused({"report", "source"}, Exit::config, {"got neither (source)"});
}

}  // namespace
}  // namespace coterie::test
