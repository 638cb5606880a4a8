// coterie sweep: the cells of a grid, each resolved as `coterie train` would, then run and compared.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/log.h"
#include "base/machine.h"
#include "base/stop_signal.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "config/config.h"
#include "config/sections.h"
#include "config/spelling.h"
#include "eval/lexical.h"
#include "sweep/comparison.h"
#include "sweep/contenders.h"
#include "sweep/measures.h"
#include "sweep/slurm.h"

namespace coterie::cli {
namespace {

/// The settings of a command line, by whom they concern.
struct Sorted {
  std::vector<std::string> own;   ///< of the sweep
  std::vector<std::string> runs;  ///< of its runs, some of them lists
};

Sorted sorted(const std::vector<std::string>& settings) {
  Sorted out;
  for (const std::string& setting : settings) {
    const std::string root = setting.substr(0, setting.find_first_of(".="));
    const bool own =
        root == "json" || std::find(sweep::kOwnKeys.begin(), sweep::kOwnKeys.end(), root) != sweep::kOwnKeys.end();
    if (root == "run")
      throw ConfigError(
          str("sweep: the runs are named after their cells, got ", setting, "; sweep.name names the sweep"));
    (own ? out.own : out.runs).push_back(setting);
  }
  return out;
}

/// The sweep's own options: `json` of the file is that of a run.
sweep::SweepOptions own_options(const std::string& file, const std::vector<std::string>& settings) {
  const config::Tree tree = config::compose(file, settings);
  std::vector<std::string_view> keys(sweep::kOwnKeys.begin(), sweep::kOwnKeys.end());
  const auto json = tree.root().table()->find("json");
  if (json != tree.root().table()->end() && json->second.origin.kind == config::Origin::Kind::argument)
    keys.emplace_back("json");
  auto options = config::read<sweep::SweepOptions>(config::only(tree, keys));
  if (options.sweep.name.empty()) options.sweep.name = fs::path(file).stem().string();
  if (sweep::plain_name(options.sweep.name) != options.sweep.name)
    throw ConfigError(str("sweep: sweep.name must be a plain file name, got '", options.sweep.name, "'"));
  return options;
}

struct Resolved {
  train::RunOptions options;
  std::string text;
};

Resolved resolve(const std::string& file, std::vector<std::string> settings) {
  // What a cell leaves is the sweep's to say.
  settings.insert(settings.end(), {"json=''", "resume=auto"});
  const config::Tree tree = config::without(config::compose(file, settings), sweep::kOwnKeys);
  auto options = config::read<train::RunOptions>(tree);
  return {options, config::print(options, tree)};
}

/// The same on behalf of a cell, whose name the message then has.
Resolved resolve_cell(const std::string& file, const sweep::Cell& cell, const std::vector<std::string>& more) {
  std::vector<std::string> settings = cell.settings;
  settings.insert(settings.end(), more.begin(), more.end());
  try {
    return resolve(file, std::move(settings));
  } catch (const ConfigError& error) {
    throw ConfigError(str("sweep: cell '", cell.folder, "': ", error.what()));
  }
}

/// The keys that only say where, how often or how fast, or what is measured beside the cells.
bool is_indifferent(const std::string& key) {
  constexpr auto kKeys = std::to_array<std::string_view>(
      {"run", "runs", "json", "trace", "resume", "data.read_ahead", "eval.batch_tokens", "eval.save", "eval.untouched",
       "eval.baselines", "eval.bm25_k1", "eval.bm25_b", "train.keep", "train.log_every"});
  return key.starts_with("dist.") || std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

/// The keys that decide what a reference measures.
bool concerns_references(const std::string& key) {
  constexpr auto kSections = std::to_array<std::string_view>({"model.", "data.", "eval."});
  constexpr auto kKeys = std::to_array<std::string_view>({"data.read_ahead", "eval.batch_tokens", "eval.save"});
  return std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end() &&
         std::any_of(kSections.begin(), kSections.end(), [&](auto section) { return key.starts_with(section); });
}

std::int64_t ranks_of(const sweep::Cell& cell, std::int64_t expert) {
  if (cell.ranks.empty()) return expert;
  std::int64_t ranks = 0;
  const char* const end = cell.ranks.data() + cell.ranks.size();
  const auto read = std::from_chars(cell.ranks.data(), end, ranks);
  if (read.ec != std::errc() || read.ptr != end || ranks < 1 || ranks % expert != 0)
    throw ConfigError(str("sweep: cell '", cell.folder, "': ranks must be a multiple of parallel.expert (", expert,
                          "), got '", cell.ranks, "'"));
  return ranks;
}

/// A cell with its folder below the sweep's.
Resolved resolve_in(const fs::path& folder, const std::string& file, const sweep::Cell& cell) {
  return resolve_cell(file, cell,
                      {"runs=" + config::toml_string(folder.string()), "run=" + config::toml_string(cell.folder)});
}

sweep::PlannedCell planned_cell(const sweep::Cell& cell, const Resolved& resolved, std::int64_t corpus_seed) {
  const train::RunOptions& options = resolved.options;
  auto values = config::values(options);
  std::erase_if(values, [](const auto& field) { return is_indifferent(field.first); });
  return {.cell = cell,
          .ranks = ranks_of(cell, options.parallel.expert),
          .threads = options.dist.threads,
          .steps = options.train.steps,
          .corpus = options.data.corpus,
          .builds_corpus = !options.data.sources.empty(),
          .corpus_seed = corpus_seed,
          .checkpoint = options.model.checkpoint,
          .references = {},
          .config = resolved.text,
          .values = std::move(values)};
}

/// The names of what the config measures beside a model.
std::vector<std::string> references_of(const eval::EvalOptions& options) {
  std::vector<std::string> names;
  if (options.untouched) names.emplace_back(sweep::kUntouched);
  names.insert(names.end(), options.baselines.begin(), options.baselines.end());
  return names;
}

/// The cell of what the config measures beside a model, as a model of the baseline is measured: on its corpus, as much
/// of each text.
sweep::PlannedCell references_cell(sweep::Cell cell, const Resolved& resolved, std::int64_t corpus_seed) {
  const eval::EvalOptions& options = resolved.options.eval;
  sweep::PlannedCell planned = planned_cell(cell, resolved, corpus_seed);
  planned.cell.seed.clear();
  planned.steps = 0;
  planned.values = config::values(resolved.options);
  std::erase_if(planned.values, [](const auto& field) { return !concerns_references(field.first); });
  // Says what is wrong with a name before the work.
  for (const std::string& baseline : options.baselines) (void)eval::make_baseline(baseline, {}, eval::bm25_of(options));
  planned.references = references_of(options);
  return planned;
}

sweep::Plan plan_of(const std::string& file, const sweep::StudyOptions& study, const std::vector<sweep::Cell>& cells) {
  sweep::Plan plan;
  plan.folder = fs::path(resolve_cell(file, cells.front(), {}).options.runs) / study.name;
  plan.defaults = config::values(train::RunOptions{});
  // Not that of the cell that happens to come first: cells may run in any order, or alone.
  const train::RunOptions alone = resolve(file, {}).options;
  const std::int64_t corpus_seed = alone.seed;
  for (const sweep::Cell& cell : cells)
    plan.cells.push_back(planned_cell(cell, resolve_in(plan.folder, file, cell), corpus_seed));
  const auto named = std::find_if(cells.begin(), cells.end(),
                                  [&](const sweep::Cell& cell) { return sweep::stands_for(study.baseline, cell); });
  sweep::Cell beside = named == cells.end() ? cells.front() : *named;
  beside.name = beside.folder = "references";
  auto references = references_cell(beside, resolve_in(plan.folder, file, beside), corpus_seed);
  sweep::Rows rows = sweep::rows_of(study, cells, {references.references, references_of(alone.eval)});
  plan.composed = std::move(rows.composed);
  plan.contrasts = std::move(rows.contrasts);
  plan.baseline = std::move(rows.baseline);
  plan.baselines = std::move(rows.baselines);
  for (const std::string& warning : rows.warnings) log::warn("sweep: " + warning);
  if (!references.references.empty()) plan.cells.push_back(std::move(references));
  (void)sweep::contenders_of(plan);  // refuses two rows of one name, before the work
  return plan;
}

bool contains(const std::vector<std::string>& settings, const std::string& setting) {
  return std::find(settings.begin(), settings.end(), setting) != settings.end();
}

// The settings of the first cell that all others have, too.
std::vector<std::string> common_settings(const sweep::Plan& plan) {
  if (plan.cells.size() < 2) return {};
  std::vector<std::string> common = plan.cells.front().cell.settings;
  for (const sweep::PlannedCell& planned : plan.cells)
    std::erase_if(common, [&](const std::string& setting) { return !contains(planned.cell.settings, setting); });
  return common;
}

// What each cell has of its own in a table, what all have in common above it.
std::string list_text(const sweep::Plan& plan) {
  const std::vector<std::string> common = common_settings(plan);
  Table table({"job", "folder", "ranks", "settings"});
  for (std::size_t job = 0; job < plan.cells.size(); ++job) {
    const sweep::PlannedCell& planned = plan.cells[job];
    std::vector<std::string> own = planned.cell.settings;
    std::erase_if(own, [&](const std::string& setting) { return contains(common, setting); });
    table.add_row({str(job), planned.cell.folder, str(planned.ranks), joined(own, " ")});
  }
  return (common.empty() ? "" : str("all cells: ", joined(common, " "), "\n\n")) + table.text();
}

std::int64_t own_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const std::int64_t allowed = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return std::min(allowed, quota_cores());
}

// The tables are of the whole plan, and written once more in the end: what goes wrong here is not the sweep's end.
void write_tables_so_far(const sweep::Plan& plan, const std::vector<std::string>& measures) {
  try {
    (void)sweep::write_tables(*real_file_ops(), plan, measures);
  } catch (const Error& error) {
    log::warn(error.what());
  }
}

sweep::DriverOutcome drive(const sweep::Plan& plan, const sweep::SweepOptions& options, const std::string& program) {
  sweep::Plan chosen = plan;
  if (options.job >= 0) {
    if (static_cast<std::size_t>(options.job) >= plan.cells.size())
      throw ConfigError(str("sweep: job must be in 0..", plan.cells.size() - 1, ", got ", options.job));
    chosen.cells = {plan.cells[static_cast<std::size_t>(options.job)]};
  }
  const auto processes = sweep::system_processes();
  sweep::Driver driver(chosen, {.program = program,
                                .cores = own_cores(),
                                .processes = *processes,
                                .ops = real_file_ops(),
                                .stopping = stop_requested,
                                .on_cell_end = [&] { write_tables_so_far(plan, options.sweep.measures); }});
  return driver.run();
}

/// Prints how the cells stand; on a terminal again and again while one runs.
void show_status(const sweep::Plan& plan, const std::vector<std::string>& measures) {
  constexpr auto kBetween = std::chrono::seconds(2);
  const bool live = ::isatty(STDOUT_FILENO) == 1;
  while (true) {
    const sweep::Results results = sweep::compare(plan, measures);
    constexpr const char* kClear = "\x1b[H\x1b[2J";
    std::cout << (live ? kClear : "") << sweep::cells_table(results).text() << std::flush;
    const bool runs = std::any_of(results.states.begin(), results.states.end(),
                                  [](const sweep::CellState& state) { return state.stage == sweep::Stage::running; });
    if (!live || !runs) return;
    std::this_thread::sleep_for(kBetween);
  }
}

/// Submits the cells that are not finished as one array job.
void submit(const sweep::Plan& plan, const sweep::SweepOptions& options, const std::string& file,
            const CommandLine& line, const std::string& program) {
  std::vector<std::string> arguments = {file};
  arguments.insert(arguments.end(), line.settings.begin(), line.settings.end());
  const std::vector<std::size_t> jobs = sweep::unfinished(plan);
  const auto processes = sweep::system_processes();
  std::cout << "submitted job " << sweep::submit(plan, jobs, {options.batch_script, program, arguments}, *processes)
            << " of " << jobs.size() << (jobs.size() == 1 ? " cell" : " cells")
            << "; --status shows how they stand, and the same command, once they have ended, the table, or submits "
               "those that failed\n";
}

/// Writes the tables, and shows the comparisons.
void show_results(const sweep::Plan& plan, const sweep::SweepOptions& options) {
  const sweep::Results results = sweep::write_tables(*real_file_ops(), plan, options.sweep.measures);
  // One cell alone is compared with nothing; its files are up to date.
  if (options.job < 0)
    std::cout << sweep::comparison_table(results.comparisons).text() << "\n" << sweep::reading(plan) << "\n";
  if (!options.json.empty()) write_json(options.json, sweep::results_json(results).dump(2));
  for (const std::string& measure : sweep::unknown_measures(results))
    log::warn(str("sweep: no finished cell has the measure '", measure, "' (sweep.measures)"));
}

/// The first failed cell's code, and 75 if the sweep was stopped before its end.
Exit code_of(const sweep::DriverOutcome& outcome) {
  if (outcome.stopped) return Exit::preempted;
  return outcome.failed.empty() ? Exit::ok : static_cast<Exit>(outcome.failed.front().code);
}

}  // namespace

Exit sweep(const CommandLine& line) {
  if (line.help_config) {
    std::cout << config::help<sweep::SweepOptions>() << "\n# every other key is a run's: coterie train --help-config\n";
    return Exit::ok;
  }
  line.expect(1, 1);
  const std::string& file = line.positional[0];
  const Sorted settings = sorted(line.settings);
  const sweep::SweepOptions options = own_options(file, settings.own);
  if (line.print_config) {
    std::cout << config::print(options, config::compose(file, settings.own));
    return Exit::ok;
  }
  // From here on a signal to stop is heard by what runs cells, even before the first; what submits them just ends.
  if (!line.list && !line.status && options.launcher == sweep::Launcher::local) catch_stop_signals();
  const std::vector<sweep::Cell> cells = sweep::expand(options.sweep, settings.runs);
  const sweep::Plan plan = plan_of(file, options.sweep, cells);
  if (line.list) {
    std::cout << list_text(plan);
    return Exit::ok;
  }
  if (line.status) {
    show_status(plan, options.sweep.measures);
    return Exit::ok;
  }
  sweep::check_plan(plan);
  expect_json_writable(options.json);
  const std::string program = fs::read_symlink("/proc/self/exe").string();
  if (options.launcher == sweep::Launcher::slurm && options.job >= 0)
    throw ConfigError("sweep: job runs one cell here and needs launcher=local, got launcher=slurm");
  // Where every cell is finished, what follows has nothing to run and shows the table.
  if (options.launcher == sweep::Launcher::slurm && !sweep::unfinished(plan).empty()) {
    submit(plan, options, file, line, program);
    return Exit::ok;
  }
  const sweep::DriverOutcome outcome = drive(plan, options, program);
  const Exit code = code_of(outcome);
  try {
    show_results(plan, options);
  } catch (const std::exception& error) {
    // What became of the cells counts more: one that has saved is to be run on, not given up.
    if (code == Exit::ok) throw;
    log::error(error.what());
  }
  for (const sweep::FailedCell& cell : outcome.failed)
    log::error(str("sweep: ", cell.folder, " failed with exit code ", cell.code, ": ", cell.text));
  return code;
}

}  // namespace coterie::cli
