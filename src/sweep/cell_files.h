// What a cell leaves in its folder: how a driver, the table and a report know what became of it.
//
//   cell.toml       the resolved config, what `coterie train` is given; with references, `coterie eval`
//   cell.json       name, seed, ranks and the values of every key: what the cell is
//   attempts.jsonl  each command that was started for it, and how it ended
//   eval.json       written by `coterie eval`
//   result.json     there once all is done, and never written again
//
// and what `train` and `eval` write into the folder of any run.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/metrics_log.h"
#include "sweep/cells.h"
#include "sweep/processes.h"

namespace coterie::sweep {

/// A cell with its config resolved. One that has references measures them and trains nothing.
struct PlannedCell {
  Cell cell;
  std::int64_t ranks = 1;
  std::int64_t threads = 0;                   ///< of each rank; 0: all cores
  std::int64_t steps = 0;                     ///< of the whole run
  std::string corpus;                         ///< the file that the cell reads
  bool builds_corpus = false;                 ///< its config says from what the corpus is made
  std::int64_t corpus_seed = 0;               ///< with which it is made: the config file's, for all cells
  std::string checkpoint;                     ///< that the cells start from
  std::vector<std::string> references;        ///< the untouched model and baselines, as `measure_of` calls them
  std::string config;                         ///< TOML, of the run
  std::map<std::string, std::string> values;  ///< every key that decides what is computed
};

/// What the commands of a cell cost, as far as it is known.
struct Cost {
  double seconds = 0.0;        ///< of all commands that ended
  double core_seconds = 0.0;   ///< processor time of all their processes
  double peak_mib = 0.0;       ///< of the largest process
  std::int64_t starts = 0;     ///< of `train`: 1 for a cell that was never interrupted
  std::int64_t unknown = 0;    ///< commands whose end nobody saw
  bool open = false;           ///< the last command is one of those, or still runs
  std::int64_t last_code = 0;  ///< of the last command that ended
  std::int64_t ends = 0;       ///< commands that ended
  std::int64_t log_start = 0;  ///< bytes of `log.txt` before the last command
};

/// Reads `attempts.jsonl`; nothing there is no cost.
/// @throws DataError if a line is something else
[[nodiscard]] Cost read_cost(const fs::path& folder);

/// Writes the lines of `attempts.jsonl`.
class Attempts {
 public:
  Attempts(std::shared_ptr<FileOps> ops, const fs::path& folder);
  /// @param log_start  bytes that `log.txt` has, to which the command will append
  void started(const std::string& command, std::int64_t log_start);
  void ended(const std::string& command, const Ended& how);

 private:
  MetricsLog log_;
  std::int64_t count_;
};

/// A finished cell.
struct CellResult {
  Cost cost;
  nlohmann::json eval;  ///< as `coterie eval` wrote it
};

/// Whether a cell has a result that can be read.
[[nodiscard]] bool is_finished(const fs::path& folder);

/// The result of a cell; none if it is not finished.
/// @throws DataError if the file is something else
[[nodiscard]] std::optional<CellResult> read_result(const fs::path& folder);

/// Finishes a cell: its costs and its `eval.json` become `result.json`.
/// @return those costs
Cost write_result(FileOps& ops, const fs::path& folder);

/// Writes `cell.toml` and `cell.json` where they are not there.
void write_plan(FileOps& ops, const fs::path& folder, const PlannedCell& planned);

/// A line `\n  KEY was X, got Y` for each value of the plan that `cell.json` has otherwise; nothing if there is none,
/// or no such file.
/// @param defaults  of the keys: a cell may have been begun before one existed
[[nodiscard]] std::string differences_from(const fs::path& folder, const PlannedCell& planned,
                                           const std::map<std::string, std::string>& defaults);

/// Where a cell stands.
enum class Stage { waiting, running, interrupted, failed, finished };

/// How stages are called in tables.
[[nodiscard]] const char* name_of(Stage stage);

struct CellState {
  Stage stage = Stage::waiting;
  std::string note;                  ///< who runs it, the code it failed with, or which of its files is damaged
  std::int64_t step = 0;             ///< last one in metrics.jsonl
  Cost cost;                         ///< so far
  std::optional<CellResult> result;  ///< there once it is finished
};

/// Looks at the folder of a cell, and reads each of its files once; changes nothing. One with a file that cannot be
/// read has failed.
[[nodiscard]] CellState state_of(const fs::path& folder);

/// The lock of whoever runs a cell, apart from that of the run itself.
[[nodiscard]] fs::path driver_folder(const fs::path& folder);

}  // namespace coterie::sweep
