#include "sweep/comparison.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "sweep/contenders.h"
#include "sweep/measures.h"
#include "sweep/significance.h"

namespace coterie::sweep {
namespace {

using nlohmann::ordered_json;

/// A measure of the trained model of a cell; none if it is not finished.
std::optional<double> trained_measure(const PlannedCell& planned, const CellState& state, const std::string& measure) {
  if (!state.result || !planned.references.empty()) return std::nullopt;
  return measure_of(state.result->eval, kTrained, measure);
}

void add_cost(Comparison& row, const std::optional<MeanCost>& cost) {
  if (!cost) return;
  row.seconds = cost->seconds;
  row.core_seconds = cost->core_seconds;
  row.peak_mib = cost->peak_mib;
}

void add_difference(Comparison& row, const std::vector<double>& differences) {
  if (differences.empty()) return;
  row.difference = mean_of(differences);
  row.p_t = paired_t(differences);
  row.p_sign = sign_flip(differences);
  row.detectable = detectable(differences);
}

/// @param base  nullptr: the row is compared with nothing
Comparison comparison(const Contender& contender, const Contender* base, const std::string& measure,
                      const std::vector<CellState>& states) {
  const Values values = contender.values(states, measure);
  const std::vector<double> plain = values.plain();
  Comparison row;
  row.cell = contender.name();
  row.measure = measure;
  row.seeds = static_cast<std::int64_t>(values.by_seed.size());
  row.planned = contender.planned();
  if (!plain.empty()) row.mean = mean_of(plain);
  row.deviation = deviation_of(plain);
  if (base != nullptr) row.baseline = base->name();
  if (base != nullptr && base->name() != contender.name())
    add_difference(row, differences(values, base->values(states, measure)));
  add_cost(row, contender.cost(states));
  return row;
}

Comparison contrasted(const Contrast& contrast, const std::vector<Contender>& contenders, const std::string& measure,
                      const std::vector<CellState>& states) {
  const Contender& contender = contender_named(contenders, contrast.name, "sweep.contrasts");
  const Contender& other = contender_named(contenders, contrast.other, "sweep.contrasts");
  const std::vector<double> found = differences(contender.values(states, measure), other.values(states, measure));
  Comparison row;
  row.cell = contrast.text();
  row.measure = measure;
  // A reference has as many as what stands beside it.
  row.planned = std::min(contender.planned(), other.planned());
  if (row.planned == 0) row.planned = std::max(contender.planned(), other.planned());
  row.seeds = row.planned == 0 ? 0 : static_cast<std::int64_t>(found.size());
  add_difference(row, found);
  return row;
}

/// Of what cells composed rows are made.
std::string composed_text(const Plan& plan) {
  std::string text;
  for (const Composed& composed : plan.composed) {
    std::vector<std::string> parts;
    for (const Setting& part : composed.parts) parts.push_back(str(part.key, " of ", part.value));
    text += str(" ", composed.name, ": ", joined(parts, ", "), " at the same seed; its cost is that of all of them.");
  }
  return text;
}

/// How BM25 was set, where it is among the references.
std::string bm25_text(const Plan& plan) {
  for (const PlannedCell& planned : plan.cells)
    if (std::find(planned.references.begin(), planned.references.end(), "bm25") != planned.references.end())
      return str(" bm25: k1 = ", planned.values.at("eval.bm25_k1"), ", b = ", planned.values.at("eval.bm25_b"), ".");
  return {};
}

std::string cell_text(const std::optional<double>& value, int digits) { return value ? decimal(*value, digits) : "-"; }

std::string probability_text(const std::optional<double>& value) { return value ? probability(*value) : "-"; }

std::string seeds_text(const Comparison& row) {
  if (row.planned == 0) return "-";
  return row.seeds == row.planned ? str(row.seeds) : str(row.seeds, " of ", row.planned);
}

std::string signed_text(const std::optional<double>& value, int digits) {
  return value ? signed_decimal(*value, digits) : "-";
}

ordered_json json_of(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

/// The lock of the files of a sweep; somebody else's writing takes seconds at most.
RunLock wait_for_lock(const fs::path& folder) {
  constexpr int kMostTries = 2400;
  for (int tries = 1;; ++tries) {
    try {
      return RunLock(folder, this_process());
    } catch (const LockedError&) {
      if (tries == kMostTries) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
}

}  // namespace

Results compare(const Plan& plan, const std::vector<std::string>& measures) {
  Results results{.plan = plan, .measures = measures, .states = {}, .comparisons = {}};
  for (const PlannedCell& planned : plan.cells) results.states.push_back(state_of(plan.folder_of(planned)));
  const std::vector<Contender> contenders = contenders_of(plan);
  for (const Contender& contender : contenders) {
    const auto named = plan.baselines.find(contender.name());
    const Contender* base =
        named == plan.baselines.end() ? nullptr : &contender_named(contenders, named->second, "sweep.baseline");
    for (const std::string& measure : measures)
      results.comparisons.push_back(comparison(contender, base, measure, results.states));
  }
  for (const Contrast& contrast : plan.contrasts)
    for (const std::string& measure : measures)
      results.comparisons.push_back(contrasted(contrast, contenders, measure, results.states));
  return results;
}

std::vector<std::string> unknown_measures(const Results& results) {
  // What is still to come may have it.
  const bool ended = std::all_of(results.states.begin(), results.states.end(), [](const CellState& state) {
    return state.stage == Stage::finished || state.stage == Stage::failed;
  });
  std::vector<std::string> unknown;
  for (const std::string& measure : results.measures)
    if (ended && std::none_of(results.comparisons.begin(), results.comparisons.end(), [&](const Comparison& row) {
          return row.measure == measure && (row.mean || row.difference);
        }))
      unknown.push_back(measure);
  return unknown;
}

Table comparison_table(const std::vector<Comparison>& comparisons) {
  Table table({"cell", "measure", "seeds", "mean", "sd", "difference", "p (t)", "p (sign)", "detectable", "seconds",
               "core s", "peak MiB"});
  for (const Comparison& row : comparisons)
    table.add_row({row.cell, row.measure, seeds_text(row), cell_text(row.mean, 4), cell_text(row.deviation, 4),
                   signed_text(row.difference, 4), probability_text(row.p_t), probability_text(row.p_sign),
                   cell_text(row.detectable, 4), cell_text(row.seconds, 1), cell_text(row.core_seconds, 1),
                   cell_text(row.peak_mib, 0)});
  return table;
}

Table cells_table(const Results& results) {
  std::vector<std::string> header = {"job", "cell", "seed", "ranks", "state", "step"};
  header.insert(header.end(), results.measures.begin(), results.measures.end());
  header.insert(header.end(), {"seconds", "core s", "peak MiB", "starts"});
  Table table(header);
  for (std::size_t job = 0; job < results.states.size(); ++job) {
    const PlannedCell& planned = results.plan.cells[job];
    const CellState& state = results.states[job];
    const std::string note = state.note.empty() ? "" : str(" (", state.note, ")");
    std::vector<std::string> row = {str(job),
                                    planned.cell.name,
                                    planned.cell.seed.empty() ? "-" : planned.cell.seed,
                                    str(planned.ranks),
                                    str(name_of(state.stage), note),
                                    planned.references.empty() ? str(state.step, " of ", planned.steps) : "-"};
    for (const std::string& measure : results.measures)
      row.push_back(cell_text(trained_measure(planned, state, measure), 4));
    row.insert(row.end(), {decimal(state.cost.seconds, 1), decimal(state.cost.core_seconds, 1),
                           decimal(state.cost.peak_mib, 0), str(state.cost.starts)});
    table.add_row(std::move(row));
  }
  return table;
}

std::string reading(const Plan& plan) {
  return str(
      "mean and sd: over seeds. difference: mean over seeds of the cell less the baseline '", plan.baseline,
      "' at the same seed, and at the same values of axes that its name does not have; what has no seeds, because "
      "nothing trains it, is the same beside each. p (t): two-sided "
      "paired t-test over seeds; p (sign): two-sided sign-flip permutation ",
      "test over seeds, exact up to 20, never below 2 / 2^seeds. detectable: the difference that the t-test ",
      "finds with probability 0.8 at level 0.05. No correction is made for several comparisons. seconds: wall ",
      "time of the commands of a cell, mean, those left out whose driver was killed; core s: processor ",
      "time of all their processes, with what ranks spend waiting for each other; peak MiB: of the largest process.",
      plan.contrasts.empty() ? "" : " a vs b: the difference of a less b.", composed_text(plan), bm25_text(plan));
}

ordered_json results_json(const Results& results) {
  ordered_json comparisons = ordered_json::array();
  for (const Comparison& row : results.comparisons)
    comparisons.push_back({{"cell", row.cell},
                           {"measure", row.measure},
                           {"baseline", row.baseline},
                           {"seeds", row.seeds},
                           {"planned", row.planned},
                           {"mean", json_of(row.mean)},
                           {"deviation", json_of(row.deviation)},
                           {"difference", json_of(row.difference)},
                           {"p_paired_t", json_of(row.p_t)},
                           {"p_sign_flip", json_of(row.p_sign)},
                           {"detectable", json_of(row.detectable)},
                           {"seconds", json_of(row.seconds)},
                           {"core_seconds", json_of(row.core_seconds)},
                           {"peak_mib", json_of(row.peak_mib)}});
  ordered_json cells = ordered_json::array();
  for (std::size_t i = 0; i < results.states.size(); ++i) {
    const PlannedCell& planned = results.plan.cells[i];
    const CellState& state = results.states[i];
    ordered_json values = ordered_json::object();
    for (const std::string& measure : results.measures)
      values[measure] = json_of(trained_measure(planned, state, measure));
    cells.push_back({{"name", planned.cell.name},
                     {"seed", planned.cell.seed},
                     {"folder", planned.cell.folder},
                     {"ranks", planned.ranks},
                     {"state", name_of(state.stage)},
                     {"values", values},
                     {"seconds", state.cost.seconds},
                     {"core_seconds", state.cost.core_seconds},
                     {"peak_mib", state.cost.peak_mib},
                     {"starts", state.cost.starts},
                     {"unknown_costs", state.cost.unknown}});
  }
  return {{"name", results.plan.folder.filename().string()},
          {"baseline", results.plan.baseline},
          {"measures", results.measures},
          {"reading", reading(results.plan)},
          {"comparisons", comparisons},
          {"cells", cells}};
}

Results write_tables(FileOps& ops, const Plan& plan, const std::vector<std::string>& measures) {
  const RunLock lock = wait_for_lock(plan.folder);
  Results results = compare(plan, measures);
  const Table comparison = comparison_table(results.comparisons);
  const Table cells = cells_table(results);
  const std::string title = str("# Sweep ", plan.folder.filename().string(), "\n\n");
  write_file_atomically(ops, plan.folder / "table.csv", comparison.csv());
  write_file_atomically(ops, plan.folder / "cells.csv", cells.csv());
  write_file_atomically(ops, plan.folder / "table.json", results_json(results).dump(2) + "\n");
  write_file_atomically(ops, plan.folder / "table.md",
                        str(title, comparison.markdown(), "\n", reading(plan), "\n\n", cells.markdown()));
  return results;
}

}  // namespace coterie::sweep
