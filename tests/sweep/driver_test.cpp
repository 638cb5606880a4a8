// The driver: every cell once, whatever fails, is interrupted, or runs beside it.
#include <thread>

#include "sweep/measures.h"
#include "sweep/slurm.h"
#include "tests/sweep/sweep_fixture.h"

namespace coterie::sweep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

using DriverTest = SweepTest;

TEST_F(DriverTest, each_cell_is_trained_and_then_evaluated) {
  const DriverOutcome outcome = drive();

  EXPECT_TRUE(outcome.failed.empty());
  EXPECT_FALSE(outcome.stopped);
  EXPECT_THAT(stand_ins_.started,
              UnorderedElementsAre("train a,seed=0", "eval a,seed=0", "train a,seed=1", "eval a,seed=1",
                                   "train b,seed=0", "eval b,seed=0", "train b,seed=1", "eval b,seed=1"));
  for (std::size_t cell = 0; cell < 4; ++cell) {
    EXPECT_EQ(stage(cell), Stage::finished);
    EXPECT_EQ(read_file(folder(cell) / "cell.toml"), "run = \"x\"\n");
    const auto result = read_result(folder(cell));
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->cost.seconds, 4.0);
    EXPECT_EQ(result->cost.core_seconds, 6.0);
    EXPECT_EQ(result->cost.starts, 1);
    EXPECT_EQ(measure_of(result->eval, kTrained, "all.roc_auc"), measured(plan_.cells[cell].cell.folder));
  }
}

TEST_F(DriverTest, references_are_evaluated_once_and_nothing_is_trained_for_them) {
  add_references();

  (void)drive();

  EXPECT_EQ(std::count(stand_ins_.started.begin(), stand_ins_.started.end(), "eval references"), 1);
  EXPECT_EQ(std::count(stand_ins_.started.begin(), stand_ins_.started.end(), "train references"), 0);
  EXPECT_EQ(stage(4), Stage::finished);
  EXPECT_EQ(read_result(folder(4))->cost.seconds, 2.0);
  // And by no other cell.
  const auto said = [&](const char* word) {
    return std::count(stand_ins_.words.begin(), stand_ins_.words.end(), std::string(word));
  };
  EXPECT_EQ(said("eval.untouched=false"), 5);
  EXPECT_EQ(said("eval.baselines=[]"), 4);
}

TEST_F(DriverTest, references_that_fail_are_measured_by_the_next_driver) {
  add_references();
  stand_ins_.codes[{"references", "eval"}] = {65};

  EXPECT_EQ(drive().failed.size(), 1U);
  EXPECT_EQ(stage(4), Stage::failed);
  EXPECT_TRUE(drive().failed.empty());
  EXPECT_EQ(stage(4), Stage::finished);
}

TEST_F(DriverTest, references_alone_build_the_corpus_that_they_need) {
  add_references();
  plan_.cells.erase(plan_.cells.begin(), plan_.cells.end() - 1);
  plan_.cells[0].builds_corpus = true;
  stand_ins_.corpus = plan_.cells[0].corpus;

  (void)drive();

  EXPECT_THAT(stand_ins_.started, ElementsAre("data references", "eval references"));
}

TEST_F(DriverTest, what_is_finished_is_not_begun_again) {
  (void)drive();
  stand_ins_.started.clear();

  (void)drive();

  EXPECT_THAT(stand_ins_.started, IsEmpty());
}

TEST_F(DriverTest, cells_run_at_once_as_far_as_the_cores_reach) {
  (void)drive();
  EXPECT_EQ(stand_ins_.most_at_once, 2U);
}

TEST_F(DriverTest, a_cell_that_takes_all_cores_or_more_runs_alone) {
  for (PlannedCell& planned : plan_.cells) planned.threads = 0;
  plan_.cells[1].ranks = 4;
  plan_.cells[1].threads = 1;

  (void)drive();

  EXPECT_EQ(stand_ins_.most_at_once, 1U);
  EXPECT_EQ(stage(1), Stage::finished);
}

TEST_F(DriverTest, a_failed_cell_is_named_and_does_not_stop_the_others) {
  stand_ins_.codes[{"a,seed=1", "train"}] = {78};
  stand_ins_.codes[{"b,seed=0", "eval"}] = {65};

  const DriverOutcome outcome = drive();

  ASSERT_EQ(outcome.failed.size(), 2U);
  EXPECT_EQ(outcome.failed[0].folder, "a,seed=1");
  EXPECT_EQ(outcome.failed[0].code, 78);
  EXPECT_EQ(outcome.failed[0].text, "the last words of train");
  EXPECT_EQ(outcome.failed[1].folder, "b,seed=0");
  EXPECT_EQ(stage(1), Stage::failed);
  EXPECT_EQ(state_of(folder(1)).note, "exit code 78");
  EXPECT_EQ(stage(3), Stage::finished);
}

TEST_F(DriverTest, a_failed_cell_is_tried_again_by_the_next_driver) {
  stand_ins_.codes[{"a,seed=1", "train"}] = {78};
  (void)drive();

  const DriverOutcome again = drive();

  EXPECT_TRUE(again.failed.empty());
  EXPECT_EQ(stage(1), Stage::finished);
  EXPECT_EQ(read_result(folder(1))->cost.starts, 2);
}

// 75: the run was preempted by somebody else; 73: it is held by a process that is still saving.
TEST_F(DriverTest, a_preempted_or_locked_cell_goes_on_in_the_same_driver) {
  stand_ins_.codes[{"a,seed=0", "train"}] = {75, 73};

  const DriverOutcome outcome = drive();

  EXPECT_TRUE(outcome.failed.empty());
  EXPECT_EQ(stage(0), Stage::finished);
  EXPECT_EQ(read_result(folder(0))->cost.starts, 3);
}

TEST_F(DriverTest, asked_to_stop_it_lets_the_cells_save_and_begins_no_other) {
  stop_after_ = 1;

  const DriverOutcome outcome = drive();

  EXPECT_TRUE(outcome.stopped);
  EXPECT_TRUE(stand_ins_.stopped);
  EXPECT_THAT(stand_ins_.started, ElementsAre("train a,seed=0", "train a,seed=1"));
  EXPECT_EQ(stage(0), Stage::interrupted);
  EXPECT_EQ(stage(2), Stage::waiting);

  stop_after_ = 1000;
  EXPECT_FALSE(drive().stopped);
  EXPECT_EQ(stage(0), Stage::finished);
}

// One signal to all processes of a job: the cell's may have died of it before the driver looks.
TEST_F(DriverTest, a_command_that_died_of_the_signal_to_stop_is_interrupted) {
  stop_after_ = 1;
  stand_ins_.codes[{"a,seed=0", "train"}] = {143};

  const DriverOutcome outcome = drive();

  EXPECT_TRUE(outcome.stopped);
  EXPECT_TRUE(outcome.failed.empty());
  EXPECT_EQ(stage(0), Stage::interrupted);
}

TEST_F(DriverTest, a_damaged_result_is_a_failure) {
  fs::create_directories(folder(1));
  std::ofstream(folder(1) / "result.json") << R"({"cost":{}})";

  EXPECT_EQ(unfinished(plan_), (std::vector<std::size_t>{0, 1, 2, 3}));
  const DriverOutcome outcome = drive();

  ASSERT_EQ(outcome.failed.size(), 1U);
  EXPECT_EQ(outcome.failed[0].folder, "a,seed=1");
  EXPECT_EQ(outcome.failed[0].code, static_cast<int>(Exit::data));
  EXPECT_THAT(outcome.failed[0].text, HasSubstr("result.json"));
  EXPECT_EQ(stage(1), Stage::failed);
  EXPECT_EQ(stage(2), Stage::finished);
}

TEST_F(DriverTest, a_cell_whose_files_are_damaged_fails_alone) {
  fs::create_directories(plan_.folder);
  std::ofstream(folder(0)) << "in its way";
  fs::create_directories(folder(1));
  std::ofstream(folder(1) / "attempts.jsonl") << "[]\n";
  fs::create_directories(folder(2));
  std::ofstream(folder(2) / "cell.json") << "{";

  EXPECT_NO_THROW(check_plan(plan_));
  const DriverOutcome outcome = drive();

  ASSERT_EQ(outcome.failed.size(), 3U);
  EXPECT_EQ(outcome.failed[0].folder, "a,seed=0");
  EXPECT_EQ(outcome.failed[0].code, static_cast<int>(Exit::io));
  EXPECT_EQ(outcome.failed[1].folder, "a,seed=1");
  EXPECT_EQ(outcome.failed[1].code, static_cast<int>(Exit::data));
  EXPECT_EQ(outcome.failed[2].folder, "b,seed=0");
  EXPECT_THAT(outcome.failed[2].text, HasSubstr("cell.json"));
  EXPECT_EQ(stage(3), Stage::finished);
}

// An error of an earlier attempt may have been mended since.
TEST_F(DriverTest, a_failure_is_told_by_what_its_own_command_said) {
  fs::create_directories(folder(0));
  std::ofstream(folder(0) / "log.txt") << "10:00:00 E an old error\n";
  stand_ins_.codes[{"a,seed=0", "train"}] = {137};

  const DriverOutcome outcome = drive();

  ASSERT_EQ(outcome.failed.size(), 1U);
  EXPECT_EQ(outcome.failed[0].text, "ended by signal 9; the last words of train");
}

TEST_F(DriverTest, what_another_driver_saw_fail_is_not_run_again) {
  DriverTools beside = tools();
  bool written = false;
  beside.stopping = [&] {
    if (std::exchange(written, true)) return false;
    fs::create_directories(folder(0));
    std::ofstream(folder(0) / "log.txt") << "10:00:00 E the loss must be finite\nmpirun says more\n";
    Attempts attempts(test::unsynced_file_ops(), folder(0));
    attempts.started("train", 0);
    attempts.ended("train", {.code = 78});
    return false;
  };

  const DriverOutcome outcome = Driver(plan_, beside).run();

  ASSERT_EQ(outcome.failed.size(), 1U);
  EXPECT_EQ(outcome.failed[0].code, 78);
  EXPECT_EQ(outcome.failed[0].text, "10:00:00 E the loss must be finite");
  EXPECT_EQ(std::count(stand_ins_.started.begin(), stand_ins_.started.end(), "train a,seed=0"), 0);
}

TEST_F(DriverTest, says_whenever_a_cell_has_ended) {
  stand_ins_.codes[{"a,seed=1", "train"}] = {78};
  int ends = 0;
  DriverTools counting = tools();
  counting.on_cell_end = [&] { ++ends; };

  (void)Driver(plan_, counting).run();

  EXPECT_EQ(ends, 4);
}

TEST_F(DriverTest, cells_of_several_ranks_run_under_mpirun) {
  plan_.cells.resize(1);
  plan_.cells[0].ranks = 2;

  (void)drive();

  EXPECT_THAT(stand_ins_.started, ElementsAre("train a,seed=0", "eval a,seed=0"));
  const std::vector<std::string> first(stand_ins_.words.begin(), stand_ins_.words.begin() + 3);
  EXPECT_THAT(first, ElementsAre("mpirun", "-n", "2"));
  EXPECT_EQ(stage(0), Stage::finished);
}

TEST_F(DriverTest, a_missing_corpus_is_built_once_before_the_cells_that_share_it) {
  for (PlannedCell& planned : plan_.cells) planned.builds_corpus = true;
  stand_ins_.corpus = plan_.cells[0].corpus;

  (void)drive();

  EXPECT_EQ(std::count(stand_ins_.started.begin(), stand_ins_.started.end(), "data a,seed=0"), 1);
  EXPECT_EQ(stand_ins_.started.size(), 9U);
  EXPECT_EQ(stand_ins_.started[0], "data a,seed=0");
}

// Each sweep has its own folder; what they share is the corpus file.
TEST_F(DriverTest, two_sweeps_do_not_build_one_corpus_at_once) {
  for (PlannedCell& planned : plan_.cells) planned.builds_corpus = true;
  stand_ins_.corpus = plan_.cells[0].corpus;
  auto other = std::make_unique<RunLock>(plan_.cells[0].corpus + ".lock", "another sweep");
  int asked = 0;
  DriverTools with_other = tools();
  with_other.stopping = [&] {
    if (++asked == 3) {
      std::ofstream(stand_ins_.corpus) << "";
      other.reset();
    }
    if (other) {
      EXPECT_THAT(stand_ins_.started, IsEmpty());
    }
    return false;
  };

  (void)Driver(plan_, with_other).run();

  EXPECT_EQ(stand_ins_.started.size(), 8U);
  for (std::size_t cell = 0; cell < 4; ++cell) EXPECT_EQ(stage(cell), Stage::finished);
}

TEST_F(DriverTest, what_an_evaluation_saves_lies_in_the_folder_of_its_cell) {
  (void)drive();

  const auto& words = stand_ins_.words;
  for (std::size_t cell = 0; cell < plan_.cells.size(); ++cell)
    EXPECT_EQ(std::count(words.begin(), words.end(), str("eval.save=\"", folder(cell).string(), "\"")), 1) << cell;
}

// As a sweep has it that was begun before the key lost its say.
TEST_F(DriverTest, a_key_that_no_longer_counts_does_not_make_a_cell_another) {
  plan_.cells[0].values["eval.save"] = "\"saved\"";
  (void)drive();
  plan_.cells[0].values.erase("eval.save");

  EXPECT_EQ(differences_from(folder(0), plan_.cells[0], {}), "");
}

// As a sweep has it that was begun before the option existed.
TEST_F(DriverTest, a_key_that_is_new_does_not_make_a_cell_another_while_it_has_its_default) {
  (void)drive();
  plan_.defaults = {{"new", "1"}};

  plan_.cells[0].values["new"] = "1";
  EXPECT_NO_THROW(check_plan(plan_));

  plan_.cells[0].values["new"] = "2";
  EXPECT_EQ(differences_from(folder(0), plan_.cells[0], plan_.defaults), "\n  new was 1, got 2");
}

TEST_F(DriverTest, a_cell_begun_with_other_settings_is_refused_with_the_keys) {
  (void)drive();
  plan_.cells[2].values["k"] = "c";
  plan_.cells[2].ranks = 2;

  try {
    check_plan(plan_);
    FAIL() << "not refused";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("b,seed=0"));
    EXPECT_THAT(error.what(), HasSubstr("\n  k was b, got c"));
    EXPECT_THAT(error.what(), HasSubstr("\n  ranks was 1, got 2"));
  }
}

TEST_F(DriverTest, one_corpus_made_in_two_ways_is_refused) {
  for (PlannedCell& planned : plan_.cells) planned.builds_corpus = true;
  plan_.cells[3].values["data.test_fraction"] = "0.5";

  EXPECT_THROW(check_plan(plan_), ConfigError);
}

}  // namespace
}  // namespace coterie::sweep
