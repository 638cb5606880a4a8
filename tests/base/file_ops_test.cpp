// Durable file operations: what they do, and what is left when they fail or the process dies at any of them.
#include "base/file_ops.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "base/error.h"
#include "tests/harness/faulty_file_ops.h"
#include "tests/harness/temporary_folder.h"

namespace coterie {
namespace {

using test::Fault;
using test::FaultyFileOps;

const std::string kOld = "old content";
const std::string kNew = "new content, longer than the old";

class FileOpsTest : public testing::Test {
 protected:
  /// The file `name` in the folder of the test.
  [[nodiscard]] fs::path path(const std::string& name) const { return folder_.path() / name; }

  void put(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
  }

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder_.path())) out.push_back(entry.path().filename().string());
    std::sort(out.begin(), out.end());
    return out;
  }

  std::shared_ptr<FileOps> ops_ = real_file_ops();

 private:
  test::TemporaryFolder folder_;
};

TEST_F(FileOpsTest, a_created_file_holds_what_was_written) {
  const std::string content("a\0b\r\n", 5);
  {
    const auto file = ops_->create(path("a"));
    file->write(content);
    file->write(std::string_view("more"));
    file->sync();
  }

  EXPECT_EQ(read_file(path("a")), content + "more");
}

TEST_F(FileOpsTest, create_refuses_an_existing_file_and_leaves_it) {
  put("a", kOld);

  EXPECT_THROW(static_cast<void>(ops_->create(path("a"))), IoError);
  EXPECT_EQ(read_file(path("a")), kOld);
}

TEST_F(FileOpsTest, append_writes_behind_what_is_there) {
  put("a", kOld);

  ops_->append(path("a"))->write(std::string_view("+"));
  ops_->append(path("new"))->write(std::string_view("+"));

  EXPECT_EQ(read_file(path("a")), kOld + "+");
  EXPECT_EQ(read_file(path("new")), "+");
}

TEST_F(FileOpsTest, rename_replaces_a_file) {
  put("a", kNew);
  put("b", kOld);

  ops_->rename(path("a"), path("b"));

  EXPECT_EQ(read_file(path("b")), kNew);
  EXPECT_EQ(names(), std::vector<std::string>{"b"});
}

TEST_F(FileOpsTest, a_directory_may_be_made_twice_and_removed_twice) {
  ops_->make_directory(path("d"));
  ops_->make_directory(path("d"));
  put("d/a", kOld);
  ops_->sync_directory(path("d"));

  ops_->remove_all(path("d"));
  ops_->remove_all(path("d"));

  EXPECT_TRUE(names().empty());
}

TEST_F(FileOpsTest, errors_name_the_path_and_the_systems_reason) {
  const auto message = [](const auto& act) -> std::string {
    try {
      act();
    } catch (const IoError& error) {
      return error.what();
    }
    return "no error";
  };
  const std::string missing = path("no/such").string();
  const std::string reason = "': No such file or directory (2)";

  EXPECT_EQ(message([&] { static_cast<void>(ops_->create(missing)); }), "file: cannot create '" + missing + reason);
  EXPECT_EQ(message([&] { ops_->make_directory(missing); }), "file: cannot make directory '" + missing + reason);
  EXPECT_EQ(message([&] { ops_->sync_directory(missing); }), "file: cannot open directory '" + missing + reason);
  EXPECT_EQ(message([&] { ops_->rename(path("x"), missing); }), "file: cannot rename to '" + missing + reason);
  EXPECT_EQ(message([&] { static_cast<void>(read_file(missing)); }), "file: cannot read '" + missing + reason);
  EXPECT_EQ(message([&] { static_cast<void>(read_file(path("."))); }),
            "file: cannot read '" + path(".").string() + "': is a directory");
}

// Opens, and then refuses to be read at its start.
TEST_F(FileOpsTest, a_file_that_opens_but_cannot_be_read_is_an_error) {
  if (!fs::exists("/proc/self/mem")) GTEST_SKIP() << "no /proc/self/mem on this system";

  EXPECT_THROW(static_cast<void>(read_file("/proc/self/mem")), IoError);
}

TEST_F(FileOpsTest, a_full_disk_is_an_error) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full on this system";
  const auto file = ops_->append("/dev/full");

  EXPECT_THROW(file->write(std::string_view("x")), IoError);
}

/// Operations of one atomic write; the last one follows the rename.
int operations_of_an_atomic_write(const fs::path& path) {
  FaultyFileOps ops(real_file_ops(), 0, Fault::error);
  write_file_atomically(ops, path, kNew);
  return ops.operations();
}

class AtomicWrite : public FileOpsTest {};

TEST_F(AtomicWrite, replaces_the_content_and_leaves_nothing_else) {
  put("a", kOld);

  write_file_atomically(*ops_, path("a"), kNew);

  EXPECT_EQ(read_file(path("a")), kNew);
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(AtomicWrite, is_not_disturbed_by_what_an_earlier_crash_left) {
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(dead, nullptr, 0), dead);
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof host - 1), 0);
  put(str(".tmp-a-", host, "-", dead), "torn");
  put(str(".tmp-a-", host, "-", ::getpid()), "torn by an earlier process of this number");
  const std::string live = str(".tmp-a-", host, "-", ::getppid());
  const std::string elsewhere = ".tmp-a-another.host-" + str(dead);
  put(live, "being written");
  put(elsewhere, "being written on another machine");

  write_file_atomically(*ops_, path("a"), kNew);

  EXPECT_EQ(read_file(path("a")), kNew);
  EXPECT_THAT(names(), testing::UnorderedElementsAre("a", live, elsewhere));
}

TEST_F(AtomicWrite, of_two_processes_at_once_leaves_the_whole_content_of_one) {
  std::vector<pid_t> children;
  for (const char letter : {'x', 'y'}) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    for (int i = 0; i < 50; ++i) write_file_atomically(*ops_, path("a"), std::string(20000, letter));
    ::_exit(0);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }

  const std::string content = read_file(path("a"));
  EXPECT_EQ(content, std::string(20000, content[0]));
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(AtomicWrite, through_a_link_replaces_what_it_leads_to) {
  fs::create_directory(path("d"));
  put("d/a", kOld);
  fs::create_symlink("d/a", path("link"));
  fs::create_symlink("d/new", path("dangling"));

  write_file_atomically(*ops_, path("link"), kNew);
  write_file_atomically(*ops_, path("dangling"), kNew);

  EXPECT_EQ(read_file(path("d/a")), kNew);
  EXPECT_EQ(read_file(path("d/new")), kNew);
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_THAT(names(), testing::UnorderedElementsAre("d", "link", "dangling"));
}

TEST_F(AtomicWrite, to_a_link_that_leads_to_itself_is_an_error) {
  fs::create_symlink("round", path("round"));

  EXPECT_THROW(write_file_atomically(*ops_, path("round"), kNew), IoError);
  EXPECT_THROW(expect_writable(path("round")), IoError);
}

TEST_F(AtomicWrite, to_a_pipe_writes_into_it) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = ::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);

  expect_writable(path("pipe"));
  write_file_atomically(*ops_, path("pipe"), kNew);

  char got[100] = {};
  EXPECT_EQ(::read(reader, got, sizeof got), static_cast<ssize_t>(kNew.size()));
  EXPECT_EQ(got, kNew);
  ::close(reader);
  EXPECT_EQ(fs::status(path("pipe")).type(), fs::file_type::fifo);
}

TEST_F(AtomicWrite, to_an_open_file_of_this_process_does_not_replace_it) {
  put("a", "before ");
  const int file = ::open(path("a").c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(file, 0);

  write_file_atomically(*ops_, str("/proc/self/fd/", file), kNew);
  EXPECT_EQ(::write(file, "!", 1), 1);
  ::close(file);

  EXPECT_EQ(read_file(path("a")), "before " + kNew + "!");
}

TEST_F(AtomicWrite, syncs_before_it_renames_and_the_folder_after) {
  // create, write, sync, rename, sync_directory
  EXPECT_EQ(operations_of_an_atomic_write(path("a")), 5);
}

TEST_F(AtomicWrite, that_fails_at_any_operation_leaves_one_whole_content) {
  const int count = operations_of_an_atomic_write(path("b"));
  for (int fail_at = 1; fail_at <= count; ++fail_at) {
    ops_->remove_all(path("a"));
    put("a", kOld);
    FaultyFileOps faulty(real_file_ops(), fail_at, Fault::error);

    EXPECT_THROW(write_file_atomically(faulty, path("a"), kNew), IoError) << fail_at;

    EXPECT_EQ(faulty.operations(), fail_at);
    EXPECT_EQ(read_file(path("a")), fail_at < count ? kOld : kNew) << fail_at;
  }
}

TEST_F(AtomicWrite, that_fails_at_any_operation_leaves_no_other_file) {
  const int count = operations_of_an_atomic_write(path("a"));
  for (int fail_at = 1; fail_at <= count; ++fail_at) {
    FaultyFileOps faulty(real_file_ops(), fail_at, Fault::error);

    EXPECT_THROW(write_file_atomically(faulty, path("a"), kNew), IoError) << fail_at;

    EXPECT_EQ(names(), std::vector<std::string>{"a"}) << fail_at;
  }
}

TEST_F(AtomicWrite, that_is_killed_at_any_operation_leaves_one_whole_content) {
  const int count = operations_of_an_atomic_write(path("b"));
  for (int fail_at = 1; fail_at <= count; ++fail_at) {
    ops_->remove_all(path("a"));
    put("a", kOld);

    const pid_t child = ::fork();
    if (child == 0) {
      FaultyFileOps faulty(real_file_ops(), fail_at, Fault::kill);
      write_file_atomically(faulty, path("a"), kNew);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);

    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << fail_at;
    EXPECT_EQ(read_file(path("a")), fail_at < count ? kOld : kNew) << fail_at;
    // Whatever was left behind, the next write succeeds and clears it away.
    write_file_atomically(*ops_, path("a"), kNew);
    EXPECT_EQ(names(), (std::vector<std::string>{"a", "b"})) << fail_at;
  }
}

TEST_F(FileOpsTest, a_fault_tears_the_write_it_hits_and_later_operations_work) {
  FaultyFileOps faulty(real_file_ops(), 2, Fault::error);
  const auto file = faulty.create(path("a"));

  EXPECT_THROW(file->write(std::string_view("1234")), IoError);
  file->write(std::string_view("5"));

  EXPECT_EQ(read_file(path("a")), "125");
  EXPECT_EQ(faulty.operations(), 3);
}

}  // namespace
}  // namespace coterie
