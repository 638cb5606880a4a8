// Drivers that are killed, and several of one sweep: nothing is lost, and nothing done twice.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "sweep/measures.h"
#include "tests/harness/faulty_file_ops.h"
#include "tests/sweep/sweep_fixture.h"

namespace coterie::sweep {
namespace {

using test::Fault;
using test::FaultyFileOps;
using testing::HasSubstr;

using DriverTest = SweepTest;

TEST_F(DriverTest, the_end_of_attempts_that_a_crash_tore_is_dropped) {
  fs::create_directories(folder(0));
  std::ofstream(folder(0) / "attempts.jsonl") << R"({"step":0,"event":"start","command":"train"})"
                                              << "\n"
                                              << R"({"step":1,"event":"end","comm)";

  EXPECT_EQ(read_cost(folder(0)).starts, 1);
  EXPECT_TRUE(read_cost(folder(0)).open);
  (void)drive();
  EXPECT_EQ(read_result(folder(0))->cost.starts, 2);
  EXPECT_EQ(read_result(folder(0))->cost.unknown, 1);
}

/// Runs a driver in a process of its own, which dies at the n-th durable operation.
/// @return whether it came to its end
bool drive_until(const Plan& plan, const DriverTools& tools) {
  const pid_t child = ::fork();
  if (child == 0) {
    (void)Driver(plan, tools).run();
    write_tables(*tools.ops, plan, {"all.roc_auc"});
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(DriverTest, killed_at_any_durable_operation_it_loses_and_repeats_nothing) {
  plan_.cells.erase(plan_.cells.begin() + 1, plan_.cells.begin() + 3);
  for (int n = 1;; ++n) {
    fs::remove_all(plan_.folder);
    const bool whole =
        drive_until(plan_, tools(std::make_shared<FaultyFileOps>(test::unsynced_file_ops(), n, Fault::kill)));
    const std::vector<Stage> before = {stage(0), stage(1)};

    ASSERT_TRUE(drive_until(plan_, tools())) << n;

    for (std::size_t cell = 0; cell < 2; ++cell) {
      ASSERT_EQ(stage(cell), Stage::finished) << n;
      const auto result = read_result(folder(cell));
      EXPECT_EQ(measure_of(result->eval, kTrained, "all.roc_auc"), measured(plan_.cells[cell].cell.folder)) << n;
      EXPECT_LE(result->cost.starts, before[cell] == Stage::finished ? 1 : 2) << n;
    }
    EXPECT_THAT(read_file(plan_.folder / "table.md"), HasSubstr("| finished"));
    if (whole) {
      EXPECT_GT(n, 40);
      return;
    }
  }
}

/// A program that trains for a moment and writes down that it did.
void write_program(const fs::path& path, const fs::path& log) {
  std::ofstream(path) << "#!/bin/sh\n"
                      << "case $1 in\n"
                      << "train) f=$(dirname \"$2\"); echo \"$f\" >>'" << log.string() << "'; sleep 0.05;;\n"
                      << "eval) echo '{\"trained\":{\"all\":{\"roc_auc\":0.5}}}' >\"$2/eval.json\";;\n"
                      << "esac\n";
  fs::permissions(path, fs::perms::owner_all);
}

int lines_in(const fs::path& file) {
  const std::string text = read_file(file);
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

class DriversTest : public SweepTest {
 protected:
  DriversTest() { write_program(program_, log_); }

  /// A driver in a process of its own, with real commands.
  pid_t start_driver() {
    const pid_t child = ::fork();
    if (child != 0) return child;
    const auto processes = system_processes();
    const DriverOutcome outcome = Driver(plan_, {.program = program_.string(),
                                                 .cores = 2,
                                                 .processes = *processes,
                                                 .ops = real_file_ops(),
                                                 .stopping = [] { return false; }})
                                      .run();
    ::_exit(outcome.failed.empty() ? 0 : 1);
  }
  static int wait(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }

  fs::path log_ = temporary_.path() / "trained";
  fs::path program_ = temporary_.path() / "program";
};

TEST_F(DriversTest, two_at_once_share_the_cells_and_both_see_all_of_them_end) {
  const pid_t first = start_driver();
  const pid_t second = start_driver();

  EXPECT_EQ(wait(first), 0);
  EXPECT_EQ(wait(second), 0);

  EXPECT_EQ(lines_in(log_), 4);
  for (std::size_t cell = 0; cell < 4; ++cell) EXPECT_EQ(stage(cell), Stage::finished);
}

TEST_F(DriversTest, one_takes_over_what_a_killed_one_had_begun) {
  const pid_t first = start_driver();
  for (int i = 0; i < 500 && !fs::exists(log_); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ::kill(first, SIGKILL);
  EXPECT_NE(wait(first), 0);

  EXPECT_EQ(wait(start_driver()), 0);

  for (std::size_t cell = 0; cell < 4; ++cell) EXPECT_EQ(stage(cell), Stage::finished);
}

TEST_F(DriversTest, a_cell_that_runs_elsewhere_is_shown_with_its_owner) {
  fs::create_directories(folder(0));
  write_plan(*test::unsynced_file_ops(), folder(0), plan_.cells[0]);
  const RunLock lock(driver_folder(folder(0)), "process 4711 on elsewhere");

  EXPECT_EQ(stage(0), Stage::running);
  EXPECT_EQ(state_of(folder(0)).note, "process 4711 on elsewhere");
  EXPECT_EQ(stage(1), Stage::waiting);
}

}  // namespace
}  // namespace coterie::sweep
