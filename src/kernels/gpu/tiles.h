// What a lane holds of the tiles that its warp multiplies: see tensor_cores.cuh.
#pragma once

#include <cstdint>

namespace coterie::kernels::gpu {

/// Of a factor: pairs of bf16, the first in the lower half.
struct Pairs {
  std::uint32_t of[4];
};

/// Of a sum.
struct Sums {
  float of[4] = {0, 0, 0, 0};
};

}  // namespace coterie::kernels::gpu
