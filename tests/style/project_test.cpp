// The style rules, and clang-format, on all sources of the project.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>

#include "base/str.h"
#include "tests/style/rules.h"

namespace coterie::test {
namespace {

using Rule = std::function<std::vector<std::string>(const Source&)>;

class Project : public testing::Test {
 protected:
  void SetUp() override {
    const char* const root = std::getenv("COTERIE_SOURCE_DIR");
    if (root == nullptr) GTEST_SKIP() << "COTERIE_SOURCE_DIR is not set; ctest sets it";
    root_ = root;
  }

  [[nodiscard]] std::vector<Source> program() const { return sources_below(root_, {"src", "dist", "experts", "data"}); }
  [[nodiscard]] std::vector<Source> all() const {
    return sources_below(root_, {"src", "dist", "experts", "data", "tests"});
  }

  static void expect_kept(const std::vector<Source>& sources, const Rule& rule) {
    std::string problems;
    for (const Source& source : sources)
      for (const std::string& problem : rule(source)) problems += problem + "\n";
    EXPECT_FALSE(sources.empty());
    if (!problems.empty()) ADD_FAILURE() << problems;
  }

  std::filesystem::path root_;
};

TEST_F(Project, includes_follow_the_arrows) { expect_kept(program(), layering_problems); }

TEST_F(Project, library_headers_stay_with_their_owners) { expect_kept(program(), ownership_problems); }

TEST_F(Project, features_are_chosen_by_cmake) { expect_kept(program(), feature_problems); }

TEST_F(Project, files_have_the_agreed_form) { expect_kept(all(), form_problems); }

/// Exit status and output of a shell command.
std::pair<int, std::string> run(const std::string& command) {
  const auto close = [](FILE* pipe) { static_cast<void>(::pclose(pipe)); };
  std::unique_ptr<FILE, decltype(close)> pipe(::popen((command + " 2>&1").c_str(), "r"), close);
  if (!pipe) return {-1, "cannot run " + command};
  std::string output;
  std::array<char, 4096> block{};
  while (const std::size_t size = std::fread(block.data(), 1, block.size(), pipe.get()))
    output.append(block.data(), size);
  const int status = ::pclose(pipe.release());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

/// The command of the clang-format whose taste the project follows; empty if it is not installed.
std::string clang_format() {
  for (const std::string name : {"clang-format-14", "clang-format"})
    if (run(name + " --version").second.find("version 14.") != std::string::npos) return name;
  return {};
}

TEST_F(Project, sources_are_formatted) {
  const std::string program = clang_format();
  if (program.empty()) GTEST_SKIP() << "clang-format 14 is not installed; other versions format differently";
  std::string command = str("cd '", root_.string(), "' && ", program, " --dry-run -Werror");
  for (const Source& source : all()) command += str(" '", source.path, "'");

  const auto [status, output] = run(command);

  EXPECT_EQ(status, 0) << output.substr(0, 10000) << "\nrun clang-format -i on these files";
}

}  // namespace
}  // namespace coterie::test
