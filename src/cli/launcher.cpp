#include "cli/launcher.h"

#include <cstdlib>

#include "base/error.h"

namespace coterie::cli {

void expect_one_process(const std::string& command) {
  // Open MPI, MPICH and Slurm's PMI, and srun alone; the last is not set in a batch script itself, as SLURM_NTASKS is.
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    const char* size = std::getenv(variable);
    if (size != nullptr && std::atoi(size) > 1)
      throw ConfigError(
          str("arguments: ", command, " is the work of one process, got ", size, " (", variable, "); start it alone"));
  }
}

}  // namespace coterie::cli
