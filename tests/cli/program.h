// The program as a user runs it: a child process in a folder, with its exit code and what it printed.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_ops.h"

namespace coterie::test {

/// How a program ended.
struct Outcome {
  int code = -1;    ///< 128 + the signal's number if one ended it
  std::string out;  ///< standard output
  std::string err;  ///< standard error
};

/// Shown by a failed expectation.
inline std::ostream& operator<<(std::ostream& stream, const Outcome& outcome) {
  return stream << "exit code " << outcome.code << "\n--- out\n" << outcome.out << "--- err\n" << outcome.err << "---";
}

/// A started program; killed if nobody waits for it.
class Program {
 public:
  /// @param folder  where it runs
  /// @param record  folder for what it prints, in files named after this object
  Program(const std::vector<std::string>& words, const fs::path& folder, const fs::path& record)
      : out_(record / str("out-", ++started())), err_(record / str("err-", started())) {
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    const int out = ::open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    const int err = ::open(err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    const int in = ::open("/dev/null", O_RDONLY);
    const bool ready = ::dup2(in, 0) >= 0 && ::dup2(out, 1) >= 0 && ::dup2(err, 2) >= 0 && ::chdir(folder.c_str()) == 0;
    if (ready) ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  void signal(int number) const { ::kill(pid_, number); }
  /// What it has written to standard error so far.
  [[nodiscard]] std::string errors() const { return fs::exists(err_) ? read_file(err_) : std::string(); }

  [[nodiscard]] Outcome wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(out_), read_file(err_)};
  }

 private:
  static int& started() {
    static int count = 0;
    return count;
  }

  fs::path out_;
  fs::path err_;
  pid_t pid_ = -1;
};

}  // namespace coterie::test
