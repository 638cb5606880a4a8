// Kernels that add up over rows, and GELU: each thread has four columns of a part of the rows.
#pragma once

#include "kernels/gpu/row_math.h"
#include "kernels/gpu/warp_operations.cuh"

namespace coterie::kernels::gpu {

/// Of a block that works on columns: its warps take turns with the rows of a part, its lanes have four columns each.
inline constexpr int kColumnLanes = 32;
inline constexpr int kColumnWarps = 8;
inline constexpr int kColumnThreads = kColumnLanes * kColumnWarps;
inline constexpr int kBlockColumns = 4 * kColumnLanes;

/// The columns and rows of this thread.
struct Columns {
  std::int64_t first;  ///< column
  std::int64_t count;  ///< 0 to 4
  Part part;

  __device__ Columns(std::int64_t rows, std::int64_t width, std::int64_t part_rows)
      : first(static_cast<std::int64_t>(blockIdx.x) * kBlockColumns + threadIdx.x % kColumnLanes * 4),
        count(width - first < 0 ? 0 : (width - first < 4 ? width - first : 4)) {
    const std::int64_t start = static_cast<std::int64_t>(blockIdx.y) * part_rows;
    part = {start + threadIdx.x / kColumnLanes, rows < start + part_rows ? rows : start + part_rows, kColumnWarps};
  }
};

/// What the lanes of a block add up for their columns.
template <class Scalar>
class ColumnSums {
 public:
  __device__ void put(const Four<Scalar>& share) {
    for (int i = 0; i < 4; ++i) sums_[threadIdx.x / kColumnLanes][threadIdx.x % kColumnLanes * 4 + i] = share[i];
  }
  /// The sum over the warps, in their order; after a barrier.
  __device__ Scalar total(int column) const {
    Scalar total = sums_[0][column];
    for (int warp = 1; warp < kColumnWarps; ++warp) total += sums_[warp][column];
    return total;
  }

 private:
  Scalar sums_[kColumnWarps][kBlockColumns];
};

template <class Stored>
__global__ void __launch_bounds__(kColumnThreads)
    norm_column_kernel(simd::NormGradientRows<Stored> all, std::int64_t part_rows) {
  __shared__ ColumnSums<Compute<Stored>> weight, bias;
  const Columns own(all.rows, all.width, part_rows);
  const auto share = own.count > 0 ? norm_columns(all, own.part, own.first, own.count) : NormShare<Compute<Stored>>{};
  weight.put(share.weight);
  bias.put(share.bias);
  block_barrier();
  const int thread = static_cast<int>(threadIdx.x);
  const int column = thread % kBlockColumns;
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kBlockColumns + column;
  if (c >= all.width) return;
  Compute<Stored>* const sums = all.weight_gradient + 2 * blockIdx.y * all.width + c;
  if (thread < kBlockColumns)
    sums[0] = weight.total(column);
  else if (thread < 2 * kBlockColumns)
    sums[all.width] = bias.total(column);
}

template <class Stored>
__global__ void __launch_bounds__(kColumnThreads)
    gelu_kernel(GeluRows<Stored> all, Stored* out, std::int64_t part_rows) {
  const Columns own(all.rows, all.width, part_rows);
  if (own.count > 0) gelu_columns(all, out, own.part, own.first, own.count);
}

template <class Stored>
__global__ void __launch_bounds__(kColumnThreads)
    gelu_backward_kernel(GeluRows<Stored> all, GeluGradient<Stored> to, std::int64_t part_rows, float* bias_gradient) {
  __shared__ ColumnSums<float> bias;
  const Columns own(all.rows, all.width, part_rows);
  bias.put(own.count > 0 ? gelu_columns_backward(all, to, own.part, own.first, own.count) : Four<float>{});
  block_barrier();
  const int column = static_cast<int>(threadIdx.x);
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kBlockColumns + column;
  if (column < kBlockColumns && c < all.width) bias_gradient[blockIdx.y * all.width + c] = bias.total(column);
}

}  // namespace coterie::kernels::gpu
