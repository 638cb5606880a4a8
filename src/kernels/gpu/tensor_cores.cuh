// Products of a head's rows in bf16 by the tensor cores of a warp, summed in float.
//
// Lane 4 g + t, with g < 8 and t < 4, holds of a 16 x 16 tile of the left factor the pairs of neighbours (g, 2t),
// (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8); of a 16 x 8 tile of the right factor, in its column g, the rows from 2t
// and from 2t + 8; of a 16 x 8 tile of the sum (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
//
// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16".
#pragma once

#include "kernels/gpu/warp_operations.cuh"

namespace coterie::kernels::gpu {

using simd::BFloat;

/// Two 16 x 8 tiles of the right factor, one behind the other.
using RightTiles = Pairs;

/// sum += left * tile `which` of right
__device__ inline void add_product(Sums& sum, const Pairs& left, const RightTiles& right, int which) {
  multiply_tiles(sum, left, right.of[2 * which], right.of[2 * which + 1]);
}

/// Two sums side by side as a left factor.
__device__ inline Pairs left_of(const Sums& first, const Sums& second) {
  return {{pair_of(first.of[0], first.of[1]), pair_of(first.of[2], first.of[3]), pair_of(second.of[0], second.of[1]),
           pair_of(second.of[2], second.of[3])}};
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
  Pairs steps[kSteps];

  __device__ OwnRows(simd::Rows<const BFloat> rows, std::int64_t first, std::int64_t length, int lane) {
    for (int half = 0; half < 2; ++half) {
      const std::int64_t r = first + lane / 4 + 8 * half;
      const BFloat* const row = rows.data + r * rows.stride + lane % 4 * 2;
#pragma unroll
      for (int s = 0; s < kSteps; ++s)
        for (int side = 0; side < 2; ++side)
          steps[s].of[half + 2 * side] =
              r < length ? *reinterpret_cast<const std::uint32_t*>(row + 16 * s + 8 * side) : 0U;
    }
  }
  /// These rows times rows 8 n to 8 n + 7 of `other`.
  __device__ Sums times(const SharedRows<kWidth>& other, int n, int lane) const {
    Sums sum;
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
  Sums tiles[kWidth / 8];

  /// Adds left times rows 16 j to 16 j + 15.
  __device__ void add(const Pairs& left, const SharedRows<kWidth>& rows, int j, int lane) {
#pragma unroll
    for (int n = 0; n < kWidth / 8; n += 2) {
      const RightTiles right = rows.plain(j, n, lane);
      add_product(tiles[n], left, right, 0);
      add_product(tiles[n + 1], left, right, 1);
    }
  }
  /// Multiplies the upper and the lower half of the rows.
  __device__ void scale(float upper, float lower) {
    for (Sums& tile : tiles) {
      tile.of[0] *= upper;
      tile.of[1] *= upper;
      tile.of[2] *= lower;
      tile.of[3] *= lower;
    }
  }
  __device__ void write(simd::Rows<BFloat> rows, std::int64_t first, std::int64_t length, int lane) const {
    for (int half = 0; half < 2; ++half) {
      const std::int64_t r = first + lane / 4 + 8 * half;
      if (r >= length) continue;
      BFloat* const row = rows.data + r * rows.stride + lane % 4 * 2;
#pragma unroll
      for (int n = 0; n < kWidth / 8; ++n)
        *reinterpret_cast<std::uint32_t*>(row + 8 * n) = pair_of(tiles[n].of[2 * half], tiles[n].of[2 * half + 1]);
    }
  }
};

}  // namespace coterie::kernels::gpu
