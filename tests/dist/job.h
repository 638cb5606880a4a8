// Jobs of several processes whose end a test looks at.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/str.h"

namespace coterie::dist {

/// How a command has ended, and all that it said.
struct Outcome {
  int code = -1;
  std::string text;
  double seconds = 0;
};

/// Runs a line of shell to its end.
inline Outcome run(const std::string& command) {
  const auto start = std::chrono::steady_clock::now();
  Outcome outcome;
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) outcome.text += buffer.data();
  const int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

/// Starts jobs of failing_job.cpp, under the launcher that CTest names.
class Job : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("MPIEXEC") == nullptr) GTEST_SKIP() << "MPIEXEC is not set; run by ctest";
  }

  /// @param how        what the last rank does
  /// @param timeout_s  how long the others wait for it
  /// @param device     `cuda`, or nothing for the CPU
  static Outcome start(int ranks, const std::string& how, double timeout_s, const std::string& device = "") {
    return run(str(std::getenv("MPIEXEC"), " -n ", ranks, " ", COTERIE_MPIEXEC_FLAGS, " ", COTERIE_FAILING_JOB, " ",
                   how, " ", timeout_s, " ", device));
  }

  /// Expects an exit code, soon, and all of the texts.
  static void expect_end(const Outcome& outcome, int code, const std::vector<std::string>& texts) {
    EXPECT_EQ(outcome.code, code) << outcome.text;
    EXPECT_LT(outcome.seconds, 10);
    for (const std::string& text : texts) EXPECT_THAT(outcome.text, testing::HasSubstr(text));
  }
};

}  // namespace coterie::dist
