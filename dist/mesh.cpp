// Making the groups of a run.
#include "dist/mesh.h"

#include "base/error.h"
#include "dist/gpu_group.h"
#include "dist/mpi_group.h"
#include "dist/solo_group.h"

namespace coterie::dist {

ExpertBlocks expert_blocks(std::int64_t experts, int ranks) {
  if (experts < 1 || experts % ranks != 0)
    throw ConfigError(
        str("mesh: expert axis (", ranks, ") must divide the number of experts (", experts, ") (parallel.expert)"));
  return {experts / ranks};
}

MeshShape::MeshShape(int rank, int ranks, const ParallelOptions& options)
    : rank_(rank), expert_size_(static_cast<int>(options.expert)), data_size_(0) {
  if (options.expert < 1 || options.expert > ranks || ranks % options.expert != 0)
    throw ConfigError(str("mesh: expert axis (", options.expert, ") must divide the number of ranks (", ranks,
                          ") (parallel.expert)"));
  COTERIE_CHECK(ShapeError, rank >= 0 && rank < ranks, "mesh: rank must be in 0..", ranks - 1, ", got ", rank);
  data_size_ = ranks / expert_size_;
}

std::int64_t MeshShape::local_experts(std::int64_t experts) const { return expert_blocks(experts, expert_size_).size; }

std::int64_t MeshShape::first_expert(std::int64_t experts) const {
  return expert_blocks(experts, expert_size_).first(expert_rank());
}

Mesh::Mesh() : shape_(0, 1, {}), world_(make_solo_group()), expert_(make_solo_group()), data_(make_solo_group()) {
  node_ = survey_node(*world_);
}

Mesh Mesh::solo() { return {}; }

Mesh::Mesh(const ParallelOptions& parallel, const DistOptions& dist, DeviceKind device) : shape_(0, 1, {}) {
  Communicator world = Communicator::world();
  shape_ = MeshShape(world.rank(), world.size(), parallel);
  {
    const MpiGroup everyone(Communicator::world(), "world", dist.timeout_s);
    const MpiGroup node(world.split_by_node(), "node", dist.timeout_s);
    node_ = survey_node(node);
    device_ = choose_device(device, dist, everyone, node);
  }
  const bool over_nccl = device_.place().is_cuda() && !device_.shared();
  const auto make = [&](Communicator comm, std::string name) -> std::unique_ptr<ProcessGroup> {
    if (over_nccl) return make_gpu_group(std::move(comm), std::move(name), dist.timeout_s);
    return std::make_unique<MpiGroup>(std::move(comm), std::move(name), dist.timeout_s);
  };
  expert_ = make(world.split(shape_.data_rank(), shape_.expert_rank()), str("expert[data=", shape_.data_rank(), "]"));
  data_ = make(world.split(shape_.expert_rank(), shape_.data_rank()), str("data[expert=", shape_.expert_rank(), "]"));
  world_ = make(std::move(world), "world");
}

void Mesh::set_step(std::int64_t step) noexcept {
  for (ProcessGroup* group : {world_.get(), expert_.get(), data_.get()}) group->set_step(step);
}

}  // namespace coterie::dist
