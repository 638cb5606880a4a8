// A sweep whose cells are run by a stand-in for the program, in a folder of its own.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "sweep/comparison.h"
#include "sweep/driver.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/unsynced_file_ops.h"

namespace coterie::sweep {

/// What the stand-in measures: a number that name and seed decide.
inline double measured(const std::string& folder) {
  return 0.5 + 0.001 * static_cast<double>(std::hash<std::string>{}(folder) % 400);
}

/// Commands that do their work when they are started: what `train` and `eval` leave, at once.
class StandIns final : public Processes {
 public:
  /// The exit code of a command, by the folder of its cell and its name; 0 where nothing is said. Taken once.
  std::map<std::pair<std::string, std::string>, std::vector<int>> codes;
  std::vector<std::string> started;  ///< `train a,seed=0`, in order
  std::vector<std::string> words;    ///< of all commands
  std::size_t most_at_once = 0;
  bool stopped = false;

  int start(const Command& command) override {
    const bool ranks = command.words[0] == "mpirun";
    const std::string name = command.words[ranks ? 7 : 1];
    words.insert(words.end(), command.words.begin(), command.words.end());
    const fs::path folder = command.log.parent_path();
    started.push_back(name + " " + folder.filename().string());
    auto& planned = codes[{folder.filename().string(), name}];
    const int code = planned.empty() ? 0 : planned.front();
    if (!planned.empty()) planned.erase(planned.begin());
    std::ofstream(command.log, std::ios::app) << "the last words of " << name << "\n";
    if (name == "train") std::ofstream(folder / "metrics.jsonl") << "{\"step\":3,\"loss\":1.0}\n";
    if (name == "eval" && code == 0) write_evaluation(folder, command.words[ranks ? 8 : 2] != folder);
    if (name == "data" && code == 0) std::ofstream(corpus) << "";
    ended_.push_back({.id = ++last_, .code = code, .seconds = 2.0, .core_seconds = 3.0, .peak_mib = 100.0});
    most_at_once = std::max(most_at_once, ended_.size());
    return last_;
  }
  std::optional<Ended> wait(double) override {
    if (ended_.empty()) return std::nullopt;
    Ended first = ended_.front();
    ended_.erase(ended_.begin());
    return first;
  }
  void ask_to_stop() override {
    stopped = true;
    for (Ended& ended : ended_) ended.code = 75;
  }

  fs::path corpus;  ///< what `data build` writes

 private:
  static void write_evaluation(const fs::path& folder, bool of_checkpoint) {
    const double value = measured(folder.filename().string());
    if (of_checkpoint) {
      std::ofstream(folder / "eval.json")
          << nlohmann::json{{"model", {{"all", {{"roc_auc", value}}}}}, {"bm25", {{"all", {{"roc_auc", value / 2}}}}}};
      return;
    }
    std::ofstream(folder / "eval.json") << nlohmann::json{
        {"trained", {{"all", {{"roc_auc", value}}}, {"a.b", {{"roc_auc", value / 2}}}}},
        {"retrieval", {{"untouched", {{"c", {{"P@1", 0.0}}}}}, {"trained", {{"c", {{"P@1", value / 4}}}}}}}};
  }

  int last_ = 0;
  std::vector<Ended> ended_;
};

/// Four cells: two combinations, two seeds.
class SweepTest : public testing::Test {
 protected:
  SweepTest() {
    plan_.folder = temporary_.path() / "sweep";
    plan_.baseline = "a";
    plan_.baselines = {{"a", "a"}, {"b", "a"}};
    for (const char* name : {"a", "b"})
      for (const char* seed : {"0", "1"}) {
        PlannedCell planned;
        planned.cell = {.name = name,
                        .ending = "",
                        .seed = seed,
                        .folder = str(name, ",seed=", seed),
                        .settings = {str("k=", name), str("seed=", seed)},
                        .ranks = ""};
        planned.threads = 1;
        planned.steps = 3;
        planned.corpus = (temporary_.path() / "corpus.h5").string();
        planned.config = "run = \"x\"\n";
        planned.values = {{"k", name}, {"seed", seed}};
        plan_.cells.push_back(planned);
      }
  }

  /// Appends a cell that trains nothing.
  void add_references() {
    PlannedCell planned = plan_.cells[0];
    planned.cell.name = planned.cell.folder = "references";
    planned.cell.seed = "";
    planned.steps = 0;
    planned.checkpoint = "hf";
    planned.references = {"untouched", "bm25"};
    planned.values = {{"eval.bm25_k1", "0.9"}, {"eval.bm25_b", "0.4"}};
    plan_.cells.push_back(planned);
  }
  [[nodiscard]] DriverTools tools(std::shared_ptr<FileOps> ops = test::unsynced_file_ops()) {
    return {.program = "coterie", .cores = 2, .processes = stand_ins_, .ops = std::move(ops), .stopping = [this] {
              return stand_ins_.started.size() >= stop_after_;
            }};
  }
  DriverOutcome drive() { return Driver(plan_, tools()).run(); }
  [[nodiscard]] fs::path folder(std::size_t cell) const { return plan_.folder_of(plan_.cells[cell]); }
  [[nodiscard]] Stage stage(std::size_t cell) const { return state_of(folder(cell)).stage; }

  test::TemporaryFolder temporary_;
  Plan plan_;
  StandIns stand_ins_;
  std::size_t stop_after_ = 1000;
};

}  // namespace coterie::sweep
