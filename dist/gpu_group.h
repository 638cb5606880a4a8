// The group of ranks that each have a GPU of their own. Only dist/ includes this header: it sees MPI's.
#pragma once

#include <memory>
#include <string>

#include "dist/mpi.h"
#include "dist/process_group.h"

namespace coterie::dist {

/// GPU tensors over NCCL, others over MPI. Without CUDA (gpu_absent.cpp) it throws.
/// @note collective over the communicator
[[nodiscard]] std::unique_ptr<ProcessGroup> make_gpu_group(Communicator comm, std::string name, double timeout_s);

}  // namespace coterie::dist
