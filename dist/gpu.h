// The GPUs that this process sees. Built from gpu_cuda.cpp, or without CUDA from gpu_absent.cpp, which sees none.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace coterie::dist {

/// A GPU of this machine.
struct Gpu {
  /// Its slot in the machine, the same from wherever it is seen. NCCL goes by it, too: slices of one GPU are one GPU.
  using Id = std::array<std::int64_t, 3>;

  Id id{};
  std::string name;
};

/// What the driver shows this process.
struct VisibleGpus {
  std::vector<Gpu> gpus;  ///< in the order of CUDA's numbers
  std::string why_none;   ///< where there are none
};

/// @throws CommError if a GPU that is there cannot be asked
[[nodiscard]] VisibleGpus visible_gpus();

/// Makes a GPU the current one of this thread.
/// @throws CommError if it cannot be used
void use_gpu(int index);

/// Returns when this process's GPU has done what was issued to it, at once where none is used: for measuring.
void finish_gpu_work();

/// Bytes that tensors on this process's GPU have taken at most, as torch.cuda.max_memory_allocated; 0 where no GPU is
/// used.
[[nodiscard]] std::int64_t peak_gpu_bytes();

}  // namespace coterie::dist
