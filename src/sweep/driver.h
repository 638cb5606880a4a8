// Runs the cells of a sweep to their end, whatever happened before and whatever happens beside.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/run_lock.h"
#include "sweep/cell_files.h"
#include "sweep/processes.h"
#include "sweep/rows.h"

namespace coterie::sweep {

/// The cells of a sweep and where they lie.
struct Plan {
  fs::path folder;  ///< of the sweep; each cell has its own below it
  std::vector<PlannedCell> cells;
  std::vector<Composed> composed = {};                ///< rows of the table
  std::vector<Contrast> contrasts = {};               ///< likewise
  std::string baseline = {};                          ///< as the study names it
  std::map<std::string, std::string> baselines = {};  ///< of a row that is compared: the row that it is compared with
  std::map<std::string, std::string> defaults = {};   ///< of every key of a run

  [[nodiscard]] fs::path folder_of(const PlannedCell& planned) const { return folder / planned.cell.folder; }
};

/// A cell that did not come to its end.
struct FailedCell {
  std::string folder;
  int code = 0;      ///< exit code of the command that failed
  std::string text;  ///< the last error that it logged, or the last line that it printed
};

/// How a driver ended.
struct DriverOutcome {
  std::vector<FailedCell> failed;  ///< in the order in which they failed
  bool stopped = false;            ///< a signal came first; what ran goes on from what it saved
};

/// What a driver works with.
struct DriverTools {
  std::string program;                        ///< this binary
  std::int64_t cores = 1;                     ///< that cells may share
  Processes& processes;                       ///< outlives the driver
  std::shared_ptr<FileOps> ops;               ///< of everything durable
  std::function<bool()> stopping;             ///< whether to stop; asked between commands, several times a second
  std::function<void()> on_cell_end = [] {};  ///< called after each cell that finished or failed
};

/// Checks that the cells that were begun earlier are those of the plan, and that no two build one corpus in two ways.
/// Cells whose files are damaged are left to the driver.
/// @throws ConfigError naming the cell and the keys that differ
void check_plan(const Plan& plan);

/// Runs every cell of a plan that is not finished: builds its corpus if there is none, trains unless the cell only
/// measures references, evaluates, and writes its result.
///
/// Safe against being killed anywhere, and beside other drivers of the same sweep: a cell belongs to whoever holds its
/// lock, what is finished is never begun again, what was interrupted continues from its last checkpoint, and what has
/// failed since this driver began is not tried again. A cell whose files cannot be read or written has failed, and
/// stops no other. A driver ends when every cell of the plan has ended, those of other drivers included.
class Driver {
 public:
  Driver(const Plan& plan, DriverTools tools);
  [[nodiscard]] DriverOutcome run();

 private:
  enum class Phase { build, train, evaluate };

  /// A cell in work.
  struct Work {
    std::size_t cell;
    Phase phase;
    std::unique_ptr<RunLock> lock;
    std::unique_ptr<RunLock> corpus_lock;  // while its corpus is built
    std::unique_ptr<Attempts> attempts;
  };

  void stop_if_asked();
  void start_what_fits();
  /// @return false if somebody else has the cell, or its corpus
  bool begin(std::size_t cell);
  bool begin_what_may_fail(std::size_t cell);
  bool failed_elsewhere(std::size_t cell);
  void start_phase(Work work);
  void on_end(const Ended& ended);
  void settle(Work work, const Ended& ended);
  void go_on(Work work);
  void finish(const Work& work);
  void fail(std::size_t cell, int code, const std::string& text);
  [[nodiscard]] static Phase phase_after_build(const PlannedCell& planned);
  [[nodiscard]] std::int64_t cores_of(std::size_t cell) const;
  [[nodiscard]] std::int64_t used_cores() const;
  [[nodiscard]] Command command_of(const Work& work) const;
  [[nodiscard]] fs::path folder_of(std::size_t cell) const { return plan_.folder_of(plan_.cells[cell]); }

  const Plan& plan_;
  const DriverTools tools_;
  std::vector<std::size_t> pending_;
  std::map<int, Work> running_;
  std::vector<std::int64_t> ends_before_;  // of each cell: commands that ended before this driver began
  std::size_t done_ = 0;
  bool waiting_for_others_ = false;
  DriverOutcome outcome_;
};

}  // namespace coterie::sweep
