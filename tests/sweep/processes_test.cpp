// Real commands: how they end, what they cost, and that they hear the end of whoever started them.
#include "sweep/processes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "tests/harness/temporary_folder.h"

namespace coterie::sweep {
namespace {

class ProcessesTest : public testing::Test {
 protected:
  Command shell(const std::string& script) const { return {{"sh", "-c", script}, folder_.path() / "log.txt"}; }
  /// The end of one command; -1 as its id if there was none for ten seconds.
  Ended end() { return processes_->wait(10.0).value_or(Ended{.id = -1}); }
  [[nodiscard]] bool appears(const std::string& name) const {
    for (int i = 0; i < 500 && !fs::exists(folder_.path() / name); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return fs::exists(folder_.path() / name);
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<Processes> processes_ = system_processes();
};

TEST_F(ProcessesTest, each_end_has_its_code_and_what_was_printed_is_kept) {
  const int good = processes_->start(shell("echo one; echo two >&2"));
  const Ended first = end();
  const int bad = processes_->start(shell("exit 65"));
  const Ended second = end();

  EXPECT_EQ(first.id, good);
  EXPECT_EQ(first.code, 0);
  EXPECT_GT(first.peak_mib, 0.0);
  EXPECT_EQ(second.id, bad);
  EXPECT_EQ(second.code, 65);
  EXPECT_EQ(read_file(folder_.path() / "log.txt"), "one\ntwo\n");
}

TEST_F(ProcessesTest, processor_time_is_that_of_all_processes_without_what_they_sleep) {
  // A child of the command counts, for more than a tenth of a second.
  (void)processes_->start(shell("sh -c 'i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done'; true"));
  const Ended busy = end();
  (void)processes_->start(shell("sleep 0.4"));
  const Ended asleep = end();

  EXPECT_GT(busy.core_seconds, 0.1);
  EXPECT_LT(asleep.core_seconds, 0.1);
  EXPECT_GT(asleep.seconds, 0.39);
}

TEST_F(ProcessesTest, a_signal_is_128_and_its_number_and_a_missing_program_127) {
  (void)processes_->start(shell("kill -9 $$"));
  EXPECT_EQ(end().code, 128 + SIGKILL);
  (void)processes_->start({{"no-such-program"}, folder_.path() / "log.txt"});
  EXPECT_EQ(end().code, 127);
}

TEST_F(ProcessesTest, several_run_at_the_same_time_and_the_first_to_end_comes_first) {
  // Each waits for what the other makes.
  const std::string folder = folder_.path().string();
  const auto wait_for = [&](const std::string& name) {
    return "while [ ! -e '" + folder + "/" + name + "' ]; do sleep 0.01; done";
  };
  const int slow = processes_->start(shell("touch '" + folder + "/a'; " + wait_for("b") + "; " + wait_for("c")));
  const int quick = processes_->start(shell(wait_for("a") + "; touch '" + folder + "/b'"));

  EXPECT_EQ(end().id, quick);
  EXPECT_FALSE(processes_->wait(0.0).has_value());
  std::ofstream(folder_.path() / "c") << "";
  EXPECT_EQ(end().id, slow);
}

TEST_F(ProcessesTest, all_are_asked_to_stop_by_usr1) {
  const std::string script =
      "trap 'exit 75' USR1; touch '" + folder_.path().string() + "/up'; while :; do sleep 0.01; done";
  (void)processes_->start(shell(script));
  ASSERT_TRUE(appears("up"));

  processes_->ask_to_stop();

  EXPECT_EQ(end().code, 75);
}

// The driver is killed and cannot tell anyone.
TEST_F(ProcessesTest, are_asked_to_stop_when_their_starter_is_killed) {
  const std::string folder = folder_.path().string();
  const pid_t starter = ::fork();
  if (starter == 0) {
    (void)processes_->start(shell("trap 'touch " + folder + "/saved; exit 75' USR1; touch " + folder +
                                  "/up; while :; do sleep 0.01; done"));
    ::pause();
  }
  ASSERT_TRUE(appears("up"));
  EXPECT_FALSE(fs::exists(folder_.path() / "saved"));

  ::kill(starter, SIGKILL);
  ::waitpid(starter, nullptr, 0);

  EXPECT_TRUE(appears("saved"));
}

}  // namespace
}  // namespace coterie::sweep
