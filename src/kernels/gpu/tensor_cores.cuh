// Products of bf16 matrices by the tensor cores of a warp, summed in float.
//
// Lane 4 g + t, with g < 8 and t < 4, holds of each tile: rows g and g + 8 of the left factor and of the sum, column g
// of the right factor, and of each of these the pairs of neighbours that start at 2 t (and at 2 t + 8).
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "kernels/gpu/team.h"

namespace coterie::kernels::gpu {

/// A 16 x 16 tile of the left factor.
struct LeftTile {
  std::uint32_t pairs[4];  ///< (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8)
};

/// Two 16 x 8 tiles of the right factor.
struct RightTiles {
  std::uint32_t pairs[4];  ///< first tile: rows from 2t and from 2t + 8; then the second
};

/// A 16 x 8 tile of the sum: (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
struct SumTile {
  float numbers[4] = {0, 0, 0, 0};
};

/// sum += left * tile `which` of right
__device__ inline void add_product(SumTile& sum, const LeftTile& left, const RightTiles& right, int which) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sum.numbers[0]), "+f"(sum.numbers[1]), "+f"(sum.numbers[2]), "+f"(sum.numbers[3])
      : "r"(left.pairs[0]), "r"(left.pairs[1]), "r"(left.pairs[2]), "r"(left.pairs[3]), "r"(right.pairs[2 * which]),
        "r"(right.pairs[2 * which + 1]));
}

/// Two numbers rounded to bf16, the first in the lower half.
__device__ inline std::uint32_t pair_of(float first, float second) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(first, second);
  return *reinterpret_cast<const std::uint32_t*>(&both);
}

/// Two sums side by side as a left factor.
__device__ inline LeftTile left_of(const SumTile& first, const SumTile& second) {
  return {{pair_of(first.numbers[0], first.numbers[1]), pair_of(first.numbers[2], first.numbers[3]),
           pair_of(second.numbers[0], second.numbers[1]), pair_of(second.numbers[2], second.numbers[3])}};
}

/// Four 8 x 8 tiles of shared memory; each lane says where a row of 8 begins, lanes 8 m to 8 m + 7 those of tile m.
__device__ inline RightTiles load_tiles(const BFloat* row) {
  RightTiles tiles;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(tiles.pairs[0]), "=r"(tiles.pairs[1]), "=r"(tiles.pairs[2]), "=r"(tiles.pairs[3])
               : "r"(static_cast<std::uint32_t>(__cvta_generic_to_shared(row)))
               : "memory");
  return tiles;
}

/// The same, each tile transposed.
__device__ inline RightTiles load_transposed_tiles(const BFloat* row) {
  RightTiles tiles;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(tiles.pairs[0]), "=r"(tiles.pairs[1]), "=r"(tiles.pairs[2]), "=r"(tiles.pairs[3])
               : "r"(static_cast<std::uint32_t>(__cvta_generic_to_shared(row)))
               : "memory");
  return tiles;
}

/// 64 rows of a head in shared memory, shifted so that the rows of a tile lie in different banks.
template <int kWidth>
class SharedRows {
 public:
  static constexpr int kRows = 64;

  /// Loads rows `first` and following up to `length`, and zeros below; all threads of the block together.
  __device__ void load(simd::Rows<const BFloat> rows, std::int64_t first, std::int64_t length) {
    constexpr int kVectors = kWidth / 8;
    for (int n = static_cast<int>(threadIdx.x); n < kRows * kVectors; n += static_cast<int>(blockDim.x)) {
      const int r = n / kVectors;
      const int c = n % kVectors * 8;
      uint4 vector = {0, 0, 0, 0};
      if (first + r < length) vector = *reinterpret_cast<const uint4*>(rows.data + (first + r) * rows.stride + c);
      *reinterpret_cast<uint4*>(numbers_ + r * kStride + c) = vector;
    }
  }
  /// As the right factor of left * rows^T: columns `step` * 16 to + 31 of rows 8 n to 8 n + 7, two tiles of 16 columns.
  __device__ RightTiles transposed(int n, int step, int lane) const {
    return load_tiles(numbers_ + (8 * n + lane % 8) * kStride + 16 * step + lane / 8 * 8);
  }
  /// As the right factor of left * rows: rows 16 j to 16 j + 15 of columns 8 n to 8 n + 15, two tiles of 8 columns.
  __device__ RightTiles plain(int j, int n, int lane) const {
    return load_transposed_tiles(numbers_ + (16 * j + lane % 16) * kStride + 8 * n + lane / 16 * 8);
  }

 private:
  static constexpr int kStride = kWidth + 8;
  alignas(16) BFloat numbers_[kRows * kStride];
};

/// 16 rows of a head as left factors, zeros below `length`.
template <int kWidth>
struct OwnRows {
  static constexpr int kSteps = kWidth / 16;
  LeftTile steps[kSteps];

  __device__ OwnRows(simd::Rows<const BFloat> rows, std::int64_t first, std::int64_t length, int lane) {
    for (int half = 0; half < 2; ++half) {
      const std::int64_t r = first + lane / 4 + 8 * half;
      const BFloat* const row = rows.data + r * rows.stride + lane % 4 * 2;
#pragma unroll
      for (int s = 0; s < kSteps; ++s)
        for (int side = 0; side < 2; ++side)
          steps[s].pairs[half + 2 * side] =
              r < length ? *reinterpret_cast<const std::uint32_t*>(row + 16 * s + 8 * side) : 0U;
    }
  }
  /// These rows times rows 8 n to 8 n + 7 of `other`.
  __device__ SumTile times(const SharedRows<kWidth>& other, int n, int lane) const {
    SumTile sum;
#pragma unroll
    for (int s = 0; s < kSteps; s += 2) {
      const RightTiles right = other.transposed(n, s, lane);
      add_product(sum, steps[s], right, 0);
      add_product(sum, steps[s + 1], right, 1);
    }
    return sum;
  }
};

/// 16 rows of a head as sums.
template <int kWidth>
struct RowSums {
  SumTile tiles[kWidth / 8];

  /// Adds left times rows 16 j to 16 j + 15.
  __device__ void add(const LeftTile& left, const SharedRows<kWidth>& rows, int j, int lane) {
#pragma unroll
    for (int n = 0; n < kWidth / 8; n += 2) {
      const RightTiles right = rows.plain(j, n, lane);
      add_product(tiles[n], left, right, 0);
      add_product(tiles[n + 1], left, right, 1);
    }
  }
  /// Multiplies the upper and the lower half of the rows.
  __device__ void scale(float upper, float lower) {
    for (SumTile& tile : tiles) {
      tile.numbers[0] *= upper;
      tile.numbers[1] *= upper;
      tile.numbers[2] *= lower;
      tile.numbers[3] *= lower;
    }
  }
  __device__ void write(simd::Rows<BFloat> rows, std::int64_t first, std::int64_t length, int lane) const {
    for (int half = 0; half < 2; ++half) {
      const std::int64_t r = first + lane / 4 + 8 * half;
      if (r >= length) continue;
      BFloat* const row = rows.data + r * rows.stride + lane % 4 * 2;
#pragma unroll
      for (int n = 0; n < kWidth / 8; ++n)
        *reinterpret_cast<std::uint32_t*>(row + 8 * n) =
            pair_of(tiles[n].numbers[2 * half], tiles[n].numbers[2 * half + 1]);
    }
  }
};

}  // namespace coterie::kernels::gpu
