// Where a rank computes: the CPU, or one GPU of its node.
#pragma once

#include <c10/core/Device.h>

#include <string>
#include <vector>

#include "dist/gpu.h"
#include "dist/options.h"
#include "dist/process_group.h"

namespace coterie::dist {

/// The place of this rank's tensors. Chosen once, then handed down: nobody else asks the machine.
class Device {
 public:
  /// The CPU.
  Device() = default;
  /// @param shared  whether any two ranks of the run compute on one GPU
  Device(int gpu, const std::string& name, bool shared)
      : place_(at::kCUDA, static_cast<c10::DeviceIndex>(gpu)), name_(name), shared_(shared) {}

  /// As tensor options take it.
  [[nodiscard]] at::Device place() const noexcept { return place_; }
  /// For messages: "CPU", or "GPU 0 (NVIDIA H100 80GB HBM3)".
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// Whether ranks share GPUs, so that no library connects these to each other.
  [[nodiscard]] bool shared() const noexcept { return shared_; }

 private:
  at::Device place_ = at::kCPU;
  std::string name_ = "CPU";
  bool shared_ = false;
};

/// Which of its visible GPUs each rank takes: in the order of the ranks, the first that no rank before it took.
///
/// So it does not matter whether every rank sees all GPUs of the node or, as Slurm may bind them, only its own.
/// @param visible  the GPUs that each rank of the node sees, in its order
/// @return         for each rank an index into its own list; -1 where all it sees are taken
[[nodiscard]] std::vector<int> assign_gpus(const std::vector<std::vector<Gpu::Id>>& visible);

/// Chooses and, where it is a GPU, makes it this process's current one.
///
/// @param node  the ranks of this node, a part of the world
/// @throws ConfigError, on every rank, if a GPU is wanted and a rank sees none, or there are fewer than ranks on a node
///   and `share_gpu` is not set
/// @note collective over the world
[[nodiscard]] Device choose_device(DeviceKind wanted, const DistOptions& options, const ProcessGroup& world,
                                   const ProcessGroup& node);

/// Restricts torch to kernels on GPUs that repeat bit for bit. Before the first use of a GPU.
void make_deterministic();

}  // namespace coterie::dist
