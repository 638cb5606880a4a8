// The groups of GPU tensors: NCCL where every rank has a GPU of its own, MPI through pinned memory where ranks share
// one.
#include "dist/gpu.h"
#include "dist/gpu_group.h"
#include "groups.h"

namespace coterie::dist {
namespace {

/// Takes a GPU by the rank's number: all ranks of a test run on one machine.
/// @return  how many GPUs there are
std::int64_t take_gpu(const Communicator& world) {
  const auto count = static_cast<std::int64_t>(visible_gpus().gpus.size());
  if (count > 0) use_gpu(static_cast<int>(world.rank() % count));
  return count;
}

std::unique_ptr<ProcessGroup> make_staged() {
  Communicator world = Communicator::world();
  if (take_gpu(world) == 0) return nullptr;
  return std::make_unique<MpiGroup>(std::move(world), "staged", kPatienceS);
}

/// The ranks whose number has the same remainder.
std::unique_ptr<ProcessGroup> make_nccl_part(int parts) {
  const Communicator world = Communicator::world();
  if (take_gpu(world) < world.size()) return nullptr;
  return make_gpu_group(world.split(world.rank() % parts, world.rank()), "part", kPatienceS);
}

}  // namespace

std::vector<Backend> backends() {
  return {{"nccl_world", [] { return make_nccl_part(1); }, at::kCUDA},
          {"nccl_halves", [] { return make_nccl_part(2); }, at::kCUDA},
          {"nccl_alone", [] { return make_nccl_part(1 << 20); }, at::kCUDA},
          {"mpi_staged", [] { return make_staged(); }, at::kCUDA}};
}

}  // namespace coterie::dist
