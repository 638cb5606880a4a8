// A sweep as one Slurm array job.
#pragma once

#include <string>
#include <vector>

#include "sweep/driver.h"

namespace coterie::sweep {

/// What an array job is made of.
struct ArrayJob {
  std::string script;                  ///< `launch/slurm/sweep.sbatch`
  std::string program;                 ///< this binary
  std::vector<std::string> arguments;  ///< of `coterie sweep`, which each task repeats with its `job=N`
};

/// The numbers of an array as sbatch takes them: `0-2,5`.
[[nodiscard]] std::string array_of(const std::vector<std::size_t>& jobs);

/// The cells of a plan that are not finished.
[[nodiscard]] std::vector<std::size_t> unfinished(const Plan& plan);

/// The command that submits the cells of those numbers, with as many tasks as the largest of them has ranks, and
/// as many cores for each as the most threads that one asks for.
[[nodiscard]] std::vector<std::string> sbatch_command(const Plan& plan, const std::vector<std::size_t>& jobs,
                                                      const ArrayJob& job);

/// Submits the cells of those numbers.
/// @return the id of the job
/// @throws IoError with what sbatch said if it failed
[[nodiscard]] std::string submit(const Plan& plan, const std::vector<std::size_t>& jobs, const ArrayJob& job,
                                 Processes& processes);

}  // namespace coterie::sweep
