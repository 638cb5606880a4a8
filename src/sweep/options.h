// The settings of `coterie sweep`: which cells there are, and how they are run. The rest of its config is the runs'.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"

namespace coterie::sweep {

/// What runs the cells.
enum class Launcher : std::uint8_t {
  local,  ///< this process starts them, several at once where the cores suffice
  slurm,  ///< one array job, a task for each cell
};

/// What is compared. Combinations are written as on the command line.
struct StudyOptions {
  std::string name = {};
  std::vector<std::string> grid = {};
  std::vector<std::string> cells = {};
  std::vector<std::string> skip = {};
  std::vector<std::string> composed = {};
  std::string baseline = {};
  std::vector<std::string> contrasts = {};
  std::vector<std::string> measures = {"all.average_precision", "all.roc_auc", "all.f1_at_validation_threshold"};
};

inline void describe(config::Visitor& v, StudyOptions& o) {
  v.field("name", o.name, "folder of the sweep below `runs`; empty: the name of the config file");
  v.field("grid", o.grid,
          "axes, each 'key=a,b,...'; the last one varies fastest; 'seed=0,1,2' repeats every combination, and "
          "'ranks=1,2' is the number of ranks, which is parallel.expert where nothing says it");
  v.field("cells", o.cells, "named combinations, each 'name: key=value key=value'; the grid is made for each of them");
  v.field("skip", o.skip, "combinations that are left out, each 'key=a,b key=c'; the key 'cell' is a cell's name");
  v.field("composed", o.composed,
          "rows made of several cells, each 'name: domain=cell domain=cell': what is measured of a domain is that of "
          "its cell at the same seed, and the cost is that of all");
  v.field("baseline", o.baseline, "the combination that the others are compared with; empty: the first");
  v.field("contrasts", o.contrasts, "further rows, each 'cell vs cell': what the first has more than the second");
  v.field("measures", o.measures,
          "what the table shows of each cell's evaluation, each 'domain.measure' or 'retrieval.collection.measure'; "
          "'a+b.measure' is the mean over the domains a and b");
}

struct SweepOptions {
  Launcher launcher = Launcher::local;
  std::int64_t job = -1;
  std::string batch_script = "launch/slurm/sweep.sbatch";
  std::string json;
  StudyOptions sweep;
};

/// The keys of the root that are the sweep's own; `json` is too, where an argument sets it.
inline constexpr auto kOwnKeys = std::to_array<std::string_view>({"launcher", "job", "batch_script", "sweep"});

inline void describe(config::Visitor& v, SweepOptions& o) {
  v.choice("launcher", o.launcher, std::to_array<std::string_view>({"local", "slurm"}),
           "local: this process runs the cells; slurm: an array job does");
  v.field("job", o.job, "run only the cell of this number in `--list`; -1: all", {-1, 1000000});
  v.field("batch_script", o.batch_script, "what sbatch is given with launcher=slurm");
  v.field("json", o.json, "also write the table to this file as JSON; empty: do not");
  v.section("sweep", o.sweep, "what is compared with what");
}

}  // namespace coterie::sweep
