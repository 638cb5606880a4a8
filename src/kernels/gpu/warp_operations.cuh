// What lanes of a warp do together, and threads of a block: the instructions of a GPU. The tests have another file of
// this name, which lets threads of the CPU do the same.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/gpu/tiles.h"
#include "kernels/simd/functions.h"

namespace coterie::kernels::gpu {

__device__ inline void block_barrier() { __syncthreads(); }

/// The value of the lane whose number differs in the bits of `mask`.
template <class Value>
__device__ Value of_lane_xor(Value value, int mask) {
  return __shfl_xor_sync(0xFFFFFFFFU, value, mask);
}

/// Two numbers rounded to bf16, the first in the lower half.
__device__ inline std::uint32_t pair_of(float first, float second) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(first, second);
  return *reinterpret_cast<const std::uint32_t*>(&both);
}

/// sum += left * right, [16, 8] = [16, 16] * [16, 8]
__device__ inline void multiply_tiles(Sums& sum, const Pairs& left, std::uint32_t upper, std::uint32_t lower) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sum.of[0]), "+f"(sum.of[1]), "+f"(sum.of[2]), "+f"(sum.of[3])
      : "r"(left.of[0]), "r"(left.of[1]), "r"(left.of[2]), "r"(left.of[3]), "r"(upper), "r"(lower));
}

/// Four 8 x 8 tiles of shared memory: lanes 8 m to 8 m + 7 say where the rows of tile m begin. Lane 4 g + t gets the
/// numbers 2 t and 2 t + 1 of row g of each.
__device__ inline Pairs load_tiles(const simd::BFloat* row) {
  Pairs tiles;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(tiles.of[0]), "=r"(tiles.of[1]), "=r"(tiles.of[2]), "=r"(tiles.of[3])
               : "r"(static_cast<std::uint32_t>(__cvta_generic_to_shared(row)))
               : "memory");
  return tiles;
}

/// The same, but lane 4 g + t gets the numbers 2 t and 2 t + 1 of column g.
__device__ inline Pairs load_transposed_tiles(const simd::BFloat* row) {
  Pairs tiles;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(tiles.of[0]), "=r"(tiles.of[1]), "=r"(tiles.of[2]), "=r"(tiles.of[3])
               : "r"(static_cast<std::uint32_t>(__cvta_generic_to_shared(row)))
               : "memory");
  return tiles;
}

}  // namespace coterie::kernels::gpu
