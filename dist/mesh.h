// The layout of the ranks: world = data x expert, and every piece of rank arithmetic in the project.
#pragma once

#include <cstdint>
#include <memory>

#include "dist/device.h"
#include "dist/node.h"
#include "dist/options.h"
#include "dist/process_group.h"

namespace coterie::dist {

/// The experts of a layer in blocks of consecutive ones, a block for each rank of an expert axis.
struct ExpertBlocks {
  std::int64_t size = 0;  ///< experts in each block

  /// Index of the first expert of a rank's block.
  [[nodiscard]] std::int64_t first(std::int64_t rank) const { return rank * size; }
};

/// @throws ConfigError unless the number of ranks divides that of experts
[[nodiscard]] ExpertBlocks expert_blocks(std::int64_t experts, int ranks);

/// Where a rank stands: ranks that share one set of experts are consecutive.
class MeshShape {
 public:
  /// @param rank   in [0, ranks)
  /// @throws ConfigError unless the expert axis divides the number of ranks
  MeshShape(int rank, int ranks, const ParallelOptions& options);

  [[nodiscard]] int ranks() const noexcept { return expert_size_ * data_size_; }
  [[nodiscard]] int expert_size() const noexcept { return expert_size_; }
  [[nodiscard]] int data_size() const noexcept { return data_size_; }
  /// Place on the expert axis: which part of the experts this rank holds.
  [[nodiscard]] int expert_rank() const noexcept { return rank_ % expert_size_; }
  /// World rank of the first of the ranks that share one set of experts with this one.
  [[nodiscard]] int first_of_expert_group() const noexcept { return rank_ - expert_rank(); }
  /// Place on the data axis: which of the copies of that part.
  [[nodiscard]] int data_rank() const noexcept { return rank_ / expert_size_; }

  /// Experts that each rank holds, of `experts` in the layer.
  /// @throws ConfigError unless the expert axis divides `experts`
  [[nodiscard]] std::int64_t local_experts(std::int64_t experts) const;
  /// Global index of the first expert on this rank; those on one rank are consecutive.
  /// @throws ConfigError unless the expert axis divides `experts`
  [[nodiscard]] std::int64_t first_expert(std::int64_t experts) const;

 private:
  int rank_;
  int expert_size_;
  int data_size_;
};

/// The groups of a run. Outlives everything that communicates, and dies before MPI does.
class Mesh {
 public:
  /// The mesh of all ranks of the MPI job.
  /// @throws ConfigError unless the expert axis divides the number of ranks, or as `choose_device` does
  /// @note collective over all ranks
  Mesh(const ParallelOptions& parallel, const DistOptions& dist, DeviceKind device = DeviceKind::cpu);

  /// A mesh of one rank, for commands that never start MPI.
  [[nodiscard]] static Mesh solo();

  [[nodiscard]] const MeshShape& shape() const noexcept { return shape_; }
  /// All ranks: dense gradients, the loss.
  [[nodiscard]] const ProcessGroup& world() const noexcept { return *world_; }
  /// The ranks that share one set of experts: dispatch.
  [[nodiscard]] const ProcessGroup& expert_group() const noexcept { return *expert_; }
  /// The ranks that hold the same experts: their gradients.
  [[nodiscard]] const ProcessGroup& data_group() const noexcept { return *data_; }
  /// Where this rank computes.
  [[nodiscard]] const Device& device() const noexcept { return device_; }
  /// The cores of this rank's node.
  [[nodiscard]] const NodeShare& node() const noexcept { return node_; }

  /// Tells all groups the optimizer step that is under way, for messages.
  void set_step(std::int64_t step) noexcept;

 private:
  Mesh();

  MeshShape shape_;
  std::unique_ptr<ProcessGroup> world_;
  std::unique_ptr<ProcessGroup> expert_;
  std::unique_ptr<ProcessGroup> data_;
  NodeShare node_;
  Device device_;
};

/// OpenMP threads for this rank.
[[nodiscard]] inline int threads_for(const DistOptions& options, const Mesh& mesh) {
  return threads_for(options, mesh.node());
}

/// What is unwise about how the ranks of this node are placed, or nothing.
[[nodiscard]] inline std::string placement_warning(const DistOptions& options, const Mesh& mesh) {
  return placement_warning(options, mesh.node());
}

}  // namespace coterie::dist
