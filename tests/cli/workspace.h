// A user's folder with a tiny checkpoint, a tiny collection in the plain form and a config, and the program run in it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/cli/program.h"
#include "tests/harness/count.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/tiny_model.h"

namespace coterie::test {

/// Documents of each split and domain of the tiny collection; neighbours are co-cited.
inline constexpr int kTrainDocuments = 16;
inline constexpr int kHeldOutDocuments = 6;

/// Two domains; every text is different.
inline void write_tiny_collection(const fs::path& folder) {
  fs::create_directories(folder);
  std::ofstream documents(folder / "documents.jsonl");
  std::ofstream pairs(folder / "pairs.jsonl");
  for (const std::string domain : {"biology", "physics"}) {
    int number = 0;
    for (const auto& [split, count] : {std::pair{"train", kTrainDocuments}, std::pair{"validation", kHeldOutDocuments},
                                       std::pair{"test", kHeldOutDocuments}}) {
      for (int i = 0; i < count; ++i, ++number) {
        const char letter = static_cast<char>('a' + number % 26);
        const char other = static_cast<char>('z' - number / 2 % 26);
        documents << R"({"id": ")" << domain << number << R"(", "text": ")" << (domain == "biology" ? "gene " : "star ")
                  << (number < 26 ? "paper " : "model ") << letter << ' ' << other << R"(", "domain": ")" << domain
                  << R"(", "split": ")" << split << "\"}\n";
        if (i > 0) pairs << R"({"a": ")" << domain << number - 1 << R"(", "b": ")" << domain << number << "\"}\n";
      }
    }
  }
}

/// The same with two experts named in turn.
inline void write_tiny_collection_with_experts(const fs::path& folder) {
  write_tiny_collection(folder);
  std::istringstream documents(read_file(folder / "documents.jsonl"));
  std::ofstream named(folder / "documents.jsonl");
  int number = 0;
  for (std::string line; std::getline(documents, line);)
    named << line.substr(0, line.size() - 1) << ", \"expert\": " << ++number % 2 << "}\n";
}

/// A fresh folder with `hf/`, `source/` and `run.toml`, in which commands are run.
class Workspace : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("COTERIE_BINARY") == nullptr) GTEST_SKIP() << "COTERIE_BINARY is not set; run by ctest";
    fs::create_directories(root());
    fs::create_directories(record());
    write_tiny_checkpoint(root() / "hf");
    write_tiny_collection(root() / "source");
    write("run.toml", R"(run = "tiny"
[model]
checkpoint = "hf"
[data]
corpus = "corpora/tiny.h5"
sources = ["plain:source"]
batch_pairs = 4
[optim]
lr = 1e-2
warmup_steps = 1
[train]
steps = 4
eval_every = 2
save_every = 2
[dist]
threads = 1
)");
  }

  /// Runs the program to its end.
  Outcome coterie(const std::vector<std::string>& arguments) { return start(arguments)->wait(); }
  /// The same on ranks.
  Outcome mpirun(int ranks, const std::vector<std::string>& arguments) { return start(arguments, ranks)->wait(); }
  /// Runs a line of shell to its end; the program is "$COTERIE_BINARY" there.
  Outcome shell(const std::string& line) { return Program({"sh", "-c", line}, root(), record()).wait(); }
  /// Starts the program and goes on; under the launcher if on ranks.
  std::unique_ptr<Program> start(const std::vector<std::string>& arguments, int ranks = 0) {
    std::vector<std::string> words;
    if (ranks > 0) words = {std::getenv("MPIEXEC"), "-n", str(ranks), "--oversubscribe", "--bind-to", "none"};
    words.emplace_back(std::getenv("COTERIE_BINARY"));
    words.insert(words.end(), arguments.begin(), arguments.end());
    return std::make_unique<Program>(words, root(), record());
  }

  /// Builds the corpus, which must work.
  void build_corpus() {
    const Outcome outcome = coterie({"data", "build", "run.toml"});
    ASSERT_EQ(outcome.code, 0) << outcome;
  }

  /// The folder in which commands run.
  [[nodiscard]] fs::path root() const { return temporary_.path() / "work"; }
  [[nodiscard]] fs::path run_folder() const { return root() / "runs" / "tiny"; }
  [[nodiscard]] fs::path checkpoint(int step) const { return run_folder() / "checkpoints" / str("step-0000000", step); }

  void write(const fs::path& below, std::string_view content) const {
    fs::create_directories((root() / below).parent_path());
    std::ofstream(root() / below, std::ios::binary) << content;
  }
  [[nodiscard]] std::string read(const fs::path& below) const { return read_file(root() / below); }
  [[nodiscard]] bool exists(const fs::path& below) const { return fs::exists(root() / below); }
  /// Everything in the workspace, sorted: two lists are equal if a command left nothing behind.
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(root()))
      all.push_back(fs::relative(entry.path(), root()).string());
    std::sort(all.begin(), all.end());
    return all;
  }

  /// Expects an exit code, all of the texts on standard error, and nothing new in the folder.
  void expect_refused(const std::vector<std::string>& arguments, Exit code, const std::vector<std::string>& texts) {
    const auto before = files();

    const Outcome outcome = coterie(arguments);

    EXPECT_EQ(outcome.code, static_cast<int>(code)) << outcome;
    for (const std::string& text : texts) EXPECT_THAT(outcome.err, testing::HasSubstr(text)) << outcome;
    EXPECT_EQ(outcome.out, "") << outcome;
    EXPECT_EQ(files(), before);
  }

 private:
  [[nodiscard]] fs::path record() const { return temporary_.path() / "record"; }

  TemporaryFolder temporary_;
};

}  // namespace coterie::test
