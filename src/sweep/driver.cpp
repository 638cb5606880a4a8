#include "sweep/driver.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/table.h"
#include "config/spelling.h"

namespace coterie::sweep {
namespace {

constexpr int kLocked = static_cast<int>(Exit::locked);
constexpr int kPreempted = static_cast<int>(Exit::preempted);
constexpr int kSignalled = 128;  // less than the code of a command that a signal ended
constexpr int kLastSignal = 64;
constexpr double kWait_s = 0.25;

const char* name_of_phase(int phase) {
  constexpr const char* kNames[] = {"data build", "train", "eval"};
  return kNames[phase];
}

// The last line from `start` on that says `E`, as errors are logged, after whose end mpirun may have complained; else
// the last of all.
std::string last_error(const fs::path& log, std::int64_t start) {
  std::error_code ignored;
  if (!fs::exists(log, ignored)) return {};
  const std::string text = read_file(log);
  std::istringstream lines(text.substr(std::min(static_cast<std::size_t>(start), text.size())));
  std::string last;
  std::string error;
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of("\r ") == std::string::npos) continue;
    last = line;
    if (line.find(" E ") == std::string_view("00:00:00").size()) error = line;
  }
  return printable(error.empty() ? last : error);
}

/// What the last command of a cell, which failed, said of it.
std::string failure_text(const fs::path& folder, int code) {
  const std::string said = last_error(folder / "log.txt", read_cost(folder).log_start);
  const bool signalled = code > kSignalled && code <= kSignalled + kLastSignal;
  return signalled ? str("ended by signal ", code - kSignalled, "; ", said) : said;
}

std::int64_t size_of(const fs::path& file) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  return error ? 0 : static_cast<std::int64_t>(size);
}

std::int64_t ends_of(const fs::path& folder) {
  try {
    return read_cost(folder).ends;
  } catch (const Error&) {
    return 0;  // the cell will say so when it is begun
  }
}

bool lacks_corpus(const PlannedCell& planned) {
  std::error_code ignored;
  return planned.builds_corpus && !fs::exists(planned.corpus, ignored);
}

/// A path as a setting; in quotes, because the folders of cells have commas in their names.
std::string setting(const char* key, const fs::path& path) { return str(key, '=', config::toml_string(path.string())); }

std::string corpus_settings(const PlannedCell& planned) {
  std::string text;
  for (const auto& [key, value] : planned.values)
    for (const char* part : {"data.sources", "data.root", "data.min_weight", "data.validation_fraction",
                             "data.test_fraction", "data.synth."})
      if (key.starts_with(part)) text += str("\n  ", key, " = ", value);
  return text;
}

/// What a cell was begun with that is now otherwise; of damaged files nothing is known, and the cell fails by itself.
std::string known_differences(const Plan& plan, const PlannedCell& planned) {
  try {
    return differences_from(plan.folder_of(planned), planned, plan.defaults);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

void check_plan(const Plan& plan) {
  std::map<std::string, const PlannedCell*> builders;
  for (const PlannedCell& planned : plan.cells) {
    if (const std::string lines = known_differences(plan, planned); !lines.empty())
      throw ConfigError(str("sweep: cell was begun with other settings; choose another sweep.name, or remove its ",
                            "folder (", plan.folder_of(planned).string(), ")", lines));
    if (!planned.builds_corpus) continue;
    const auto [first, is_new] = builders.emplace(planned.corpus, &planned);
    if (!is_new && corpus_settings(*first->second) != corpus_settings(planned))
      throw ConfigError(str("sweep: cells must build one corpus in one way, got two for ", planned.corpus, ": '",
                            first->second->cell.folder, "' and '", planned.cell.folder, "' differ in data.*"));
  }
}

Driver::Driver(const Plan& plan, DriverTools tools) : plan_(plan), tools_(std::move(tools)) {
  for (std::size_t i = 0; i < plan_.cells.size(); ++i) {
    if (is_finished(folder_of(i)))
      ++done_;
    else
      pending_.push_back(i);
    ends_before_.push_back(ends_of(folder_of(i)));
  }
}

DriverOutcome Driver::run() {
  while (!pending_.empty() || !running_.empty()) {
    stop_if_asked();
    start_what_fits();
    if (const auto ended = tools_.processes.wait(kWait_s)) on_end(*ended);
  }
  return outcome_;
}

void Driver::stop_if_asked() {
  if (outcome_.stopped || !tools_.stopping()) return;
  outcome_.stopped = true;
  log::info("sweep: stopping; what runs is asked to save");
  tools_.processes.ask_to_stop();
  pending_.clear();
}

void Driver::start_what_fits() {
  std::vector<std::size_t> left;
  bool full = false;
  for (const std::size_t cell : pending_) {
    if (is_finished(folder_of(cell))) {
      ++done_;
      log::info(str("sweep: ", plan_.cells[cell].cell.folder, " was finished by another driver"));
      continue;
    }
    // In their order: a large cell is not passed over for ever by small ones behind it.
    full = full || (!running_.empty() && used_cores() + cores_of(cell) > tools_.cores);
    if (full || !begin(cell)) left.push_back(cell);
  }
  pending_ = std::move(left);
  if (!running_.empty() || pending_.empty()) return;
  if (!waiting_for_others_)
    log::info(str("sweep: waiting for ", pending_.size(), " cells that other processes run, ",
                  plan_.cells[pending_[0]].cell.folder, " first"));
  waiting_for_others_ = true;
}

bool Driver::begin(std::size_t cell) {
  try {
    return begin_what_may_fail(cell);
  } catch (const Error& error) {
    fail(cell, static_cast<int>(error.code()), error.what());
    return true;
  }
}

bool Driver::begin_what_may_fail(std::size_t cell) {
  const PlannedCell& planned = plan_.cells[cell];
  const fs::path folder = folder_of(cell);
  Work work{.cell = cell, .phase = phase_after_build(planned), .lock = {}, .corpus_lock = {}, .attempts = {}};
  try {
    work.lock = std::make_unique<RunLock>(driver_folder(folder), this_process());
    if (lacks_corpus(planned)) {
      // Beside the corpus: other sweeps may want to build it, too.
      work.corpus_lock = std::make_unique<RunLock>(planned.corpus + ".lock", this_process());
    }
  } catch (const LockedError&) {
    return false;
  }
  // Whoever held a lock a moment ago may have done the work. The run itself is held where one was started by hand, or
  // is still saving because its driver has just died.
  if (read_result(folder) || !lock_owner(folder).empty()) return false;
  if (failed_elsewhere(cell)) return true;
  if (lacks_corpus(planned)) work.phase = Phase::build;
  (void)differences_from(folder, planned, plan_.defaults);  // refuses files that are damaged
  write_plan(*tools_.ops, folder, planned);
  work.attempts = std::make_unique<Attempts>(tools_.ops, folder);
  log::info(str("sweep: ", planned.cell.folder, " starts on ", planned.ranks, planned.ranks == 1 ? " rank" : " ranks",
                " (", (folder / "log.txt").string(), ")"));
  start_phase(std::move(work));
  return true;
}

// Whether another driver saw the cell fail since this one began.
bool Driver::failed_elsewhere(std::size_t cell) {
  const Cost cost = read_cost(folder_of(cell));
  const auto code = static_cast<int>(cost.last_code);
  if (cost.open || cost.ends <= ends_before_[cell] || code == 0 || code == kLocked || code == kPreempted) return false;
  fail(cell, code, failure_text(folder_of(cell), code));
  return true;
}

void Driver::start_phase(Work work) {
  work.attempts->started(name_of_phase(static_cast<int>(work.phase)), size_of(folder_of(work.cell) / "log.txt"));
  const int id = tools_.processes.start(command_of(work));
  running_.emplace(id, std::move(work));
}

Command Driver::command_of(const Work& work) const {
  const PlannedCell& planned = plan_.cells[work.cell];
  const fs::path folder = folder_of(work.cell);
  const std::string config = (folder / "cell.toml").string();
  std::vector<std::string> words;
  if (planned.ranks > 1 && work.phase != Phase::build)
    words = {"mpirun", "-n", str(planned.ranks), "--bind-to", "none", "--oversubscribe"};
  words.push_back(tools_.program);
  switch (work.phase) {
    case Phase::build:
      words.insert(words.end(), {"data", "build", config, str("seed=", planned.corpus_seed)});
      break;
    case Phase::train:
      words.insert(words.end(), {"train", config, "resume=auto"});
      break;
    case Phase::evaluate:
      words.emplace_back("eval");
      if (planned.references.empty())
        words.insert(words.end(), {folder.string(), "eval.baselines=[]"});
      else
        words.insert(words.end(), {planned.checkpoint, config});
      // The references have a cell of their own. Places in the config would be the same for all cells.
      words.insert(words.end(),
                   {"eval.untouched=false", setting("json", folder / "eval.json"), setting("eval.save", folder)});
      break;
  }
  return {std::move(words), folder / "log.txt"};
}

void Driver::on_end(const Ended& ended) {
  auto node = running_.extract(ended.id);
  if (node.empty()) return;
  // A signal to all processes may have ended it, and not yet been noticed here.
  stop_if_asked();
  const std::size_t cell = node.mapped().cell;
  try {
    settle(std::move(node.mapped()), ended);
  } catch (const Error& error) {
    fail(cell, static_cast<int>(error.code()), error.what());
  }
}

void Driver::settle(Work work, const Ended& ended) {
  // A command that knows no USR1 dies of it; it was interrupted all the same.
  const int code = outcome_.stopped && ended.code != 0 ? kPreempted : ended.code;
  Ended seen = ended;
  seen.code = code;
  work.attempts->ended(name_of_phase(static_cast<int>(work.phase)), seen);
  if (code == 0 && !(outcome_.stopped && work.phase != Phase::evaluate)) return go_on(std::move(work));
  if (outcome_.stopped) return;
  if (code == kLocked || code == kPreempted) {
    pending_.push_back(work.cell);
    return;
  }
  fail(work.cell, code, failure_text(folder_of(work.cell), code));
}

void Driver::go_on(Work work) {
  if (work.phase == Phase::evaluate) return finish(work);
  work.corpus_lock.reset();
  work.phase = work.phase == Phase::build ? phase_after_build(plan_.cells[work.cell]) : Phase::evaluate;
  start_phase(std::move(work));
}

void Driver::finish(const Work& work) {
  const fs::path folder = folder_of(work.cell);
  const Cost cost = write_result(*tools_.ops, folder);
  ++done_;
  log::info(str("sweep: ", plan_.cells[work.cell].cell.folder, " finished after ", duration_text(cost.seconds), ", ",
                duration_text(cost.core_seconds), " on one core, ", decimal(cost.peak_mib, 0), " MiB; ", done_, " of ",
                plan_.cells.size(), " cells done"));
  tools_.on_cell_end();
}

void Driver::fail(std::size_t cell, int code, const std::string& text) {
  const std::string& folder = plan_.cells[cell].cell.folder;
  outcome_.failed.push_back({folder, code, text});
  log::warn(str("sweep: ", folder, " failed with exit code ", code, ": ", text, " (",
                (folder_of(cell) / "log.txt").string(), ")"));
  tools_.on_cell_end();
}

Driver::Phase Driver::phase_after_build(const PlannedCell& planned) {
  return planned.references.empty() ? Phase::train : Phase::evaluate;
}

std::int64_t Driver::used_cores() const {
  std::int64_t cores = 0;
  for (const auto& [id, work] : running_) cores += cores_of(work.cell);
  return cores;
}

std::int64_t Driver::cores_of(std::size_t cell) const {
  const PlannedCell& planned = plan_.cells[cell];
  // A run that is free to choose its threads takes all cores.
  return planned.threads == 0 ? tools_.cores : planned.ranks * planned.threads;
}

}  // namespace coterie::sweep
