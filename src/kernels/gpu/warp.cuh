// A team of the 32 lanes of a warp, and how launches fail.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace coterie::kernels::gpu {

/// The lanes of this thread's warp. All of them call its functions together.
struct Warp {
  static constexpr int kLanes = 32;
  static constexpr unsigned kAll = 0xFFFFFFFFU;

  __device__ int lane() const { return static_cast<int>(threadIdx.x) % kLanes; }
  /// Adds in the same tree on each lane: all get the same bits.
  template <class Value>
  __device__ Value sum(Value value) const {
    for (int step = kLanes / 2; step > 0; step /= 2) value += __shfl_xor_sync(kAll, value, step);
    return value;
  }
  template <class Value>
  __device__ Value max(Value value) const {
    for (int step = kLanes / 2; step > 0; step /= 2) {
      const Value other = __shfl_xor_sync(kAll, value, step);
      value = other > value ? other : value;
    }
    return value;
  }
  template <class Value>
  __device__ Value from(Value value, int lane) const {
    return __shfl_sync(kAll, value, lane);
  }
};

/// @throws std::runtime_error naming the kernel if it could not be started
inline void check_launch(const char* kernel) {
  const cudaError_t code = cudaGetLastError();
  if (code != cudaSuccess)
    throw std::runtime_error(std::string("cuda: cannot start ") + kernel + ": " + cudaGetErrorString(code));
}

/// Blocks that cover `count` with `each`.
[[nodiscard]] inline unsigned blocks(std::int64_t count, std::int64_t each) {
  return static_cast<unsigned>((count + each - 1) / each);
}

}  // namespace coterie::kernels::gpu
