// What a sweep found: each contender beside the baseline, over seeds, with its cost.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/table.h"
#include "sweep/driver.h"

namespace coterie::sweep {

/// One measure of one contender, or the difference of two, over the seeds that are finished.
struct Comparison {
  std::string cell;  ///< the contender; `a vs b` for a contrast, which has no mean and no cost
  std::string measure;
  std::string baseline;    ///< the contender that it is compared with, itself if it is one; empty: none, or a contrast
  std::int64_t seeds = 0;  ///< finished ones with this measure
  std::int64_t planned = 0;  ///< seeds of the plan; 0 for a reference, which has none
  std::optional<double> mean;
  std::optional<double> deviation;     ///< over seeds, divisor n - 1
  std::optional<double> difference;    ///< mean over seeds from the baseline, which has none, or in a contrast
  std::optional<double> p_t;           ///< paired t-test
  std::optional<double> p_sign;        ///< sign-flip permutation test
  std::optional<double> detectable;    ///< smallest difference found with probability 0.8 at level 0.05
  std::optional<double> seconds;       ///< mean of a cell; none for a reference, as the next two
  std::optional<double> core_seconds;  ///< mean of a cell
  std::optional<double> peak_mib;      ///< most of all cells
};

/// What a sweep found, as it was when the files of its cells were read.
struct Results {
  const Plan& plan;  ///< outlives them
  std::vector<std::string> measures;
  std::vector<CellState> states;        ///< of the plan's cells
  std::vector<Comparison> comparisons;  ///< a row for each contender or contrast, and measure
};

/// Reads what the cells of a plan left, each file once, and compares.
/// @throws ConfigError as `contenders_of`
[[nodiscard]] Results compare(const Plan& plan, const std::vector<std::string>& measures);

/// Measures that no finished cell has, which may be spelled wrongly; none before all cells have finished or failed.
[[nodiscard]] std::vector<std::string> unknown_measures(const Results& results);

/// One row for each contender or contrast, and measure.
[[nodiscard]] Table comparison_table(const std::vector<Comparison>& comparisons);

/// One row for each cell: its state, its measures, its cost.
[[nodiscard]] Table cells_table(const Results& results);

/// How the columns of `comparison_table` are to be read, in a few sentences.
[[nodiscard]] std::string reading(const Plan& plan);

/// All of it, numbers in full precision.
[[nodiscard]] nlohmann::ordered_json results_json(const Results& results);

/// Writes `table.md`, `table.csv`, `cells.csv` and `table.json` into the folder of the sweep. Drivers take turns, so
/// that the last one's files hold what all have finished.
/// @return what they hold
Results write_tables(FileOps& ops, const Plan& plan, const std::vector<std::string>& measures);

}  // namespace coterie::sweep
