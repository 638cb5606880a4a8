// One run directory, one live run.
#include "base/run_lock.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/file_ops.h"
#include "tests/harness/temporary_folder.h"

namespace coterie {
namespace {

/// The message with which a directory is refused; empty if it is not.
std::string refusal(const fs::path& directory) {
  try {
    const RunLock lock(directory, "second");
  } catch (const LockedError& error) {
    return error.what();
  }
  return {};
}

TEST(RunLockTest, makes_the_directory_and_writes_its_owner) {
  const test::TemporaryFolder folder;
  const fs::path run = folder.path() / "runs" / "a";

  const RunLock lock(run, "host 1");

  EXPECT_EQ(read_file(run / "lock"), "host 1");
}

TEST(RunLockTest, refuses_a_second_holder_and_names_the_first) {
  const test::TemporaryFolder folder;
  const RunLock lock(folder.path(), "host 1, pid 17");

  EXPECT_EQ(refusal(folder.path()), "run: directory '" + folder.path().string() + "' is in use by host 1, pid 17");
  EXPECT_EQ(read_file(folder.path() / "lock"), "host 1, pid 17");
}

TEST(RunLockTest, is_free_again_at_the_end_of_the_holder) {
  const test::TemporaryFolder folder;
  { const RunLock lock(folder.path(), "a holder with a long name"); }

  const RunLock lock(folder.path(), "next");

  EXPECT_EQ(read_file(folder.path() / "lock"), "next");
}

TEST(RunLockTest, of_one_directory_does_not_hold_another) {
  const test::TemporaryFolder folder;
  const RunLock lock(folder.path() / "a", "first");

  EXPECT_EQ(refusal(folder.path() / "b"), "");
}

TEST(RunLockTest, is_freed_when_the_holder_is_killed) {
  const test::TemporaryFolder folder;
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const RunLock lock(folder.path(), "child");
    static_cast<void>(!::write(ready[1], "x", 1));
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const std::string while_alive = refusal(folder.path());

  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);

  EXPECT_NE(while_alive.find("is in use by child"), std::string::npos) << while_alive;
  EXPECT_EQ(refusal(folder.path()), "");
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(RunLockTest, its_owner_can_be_asked_for_without_taking_it) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(lock_owner(folder.path() / "absent"), "");
  EXPECT_FALSE(fs::exists(folder.path() / "absent"));
  {
    const RunLock lock(folder.path(), "somebody");
    EXPECT_EQ(lock_owner(folder.path()), "somebody");
    EXPECT_EQ(lock_owner(folder.path()), "somebody");
  }
  EXPECT_EQ(lock_owner(folder.path()), "");
  EXPECT_NE(this_process().find(str("process ", ::getpid(), " on ")), std::string::npos);
}

TEST(RunLockTest, who_asks_for_the_owner_is_in_nobodys_way) {
  const test::TemporaryFolder folder;
  { const RunLock lock(folder.path(), "earlier"); }
  std::atomic<bool> done = false;
  std::atomic<int> asked = 0;
  std::thread asking([&] {
    for (; !done; ++asked) (void)lock_owner(folder.path());
  });
  while (asked == 0) std::this_thread::yield();

  int refused = 0;
  for (int i = 0; i < 5000; ++i) refused += refusal(folder.path()).empty() ? 0 : 1;

  done = true;
  asking.join();
  EXPECT_EQ(refused, 0) << asked;
}

// What a run starts must not hold its folder after it.
TEST(RunLockTest, is_not_handed_on_to_programs) {
  const test::TemporaryFolder folder;
  std::optional<RunLock> lock(std::in_place, folder.path(), "first");
  const pid_t child = ::fork();
  if (child == 0) {
    ::execlp("sleep", "sleep", "60", nullptr);
    ::_exit(127);
  }
  const fs::path program = fs::path("/proc") / std::to_string(child) / "comm";
  for (int i = 0; i < 2000 && read_file(program) != "sleep\n"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));

  lock.reset();

  EXPECT_EQ(read_file(program), "sleep\n");
  EXPECT_EQ(refusal(folder.path()), "");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(RunLockTest, of_a_path_that_is_a_file_is_an_io_error) {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "file").flush();

  EXPECT_THROW(RunLock(folder.path() / "file", "x"), IoError);
}

}  // namespace
}  // namespace coterie
