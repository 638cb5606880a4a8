// Dropout, LayerNorm and GELU on a GPU: a warp for each row, or a thread for four columns of a part of the rows.
#include "kernels/gpu/launch.h"
#include "kernels/gpu/warp.cuh"

namespace coterie::kernels::gpu {
namespace {

constexpr int kThreads = 128;
/// Shared memory that every GPU grants without asking.
constexpr std::int64_t kSharedBytes = 48 << 10;

/// The row of this thread's warp.
__device__ std::int64_t own_row() {
  return (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / Warp::kLanes;
}

/// Of a block that works on columns: its warps take turns with the rows of a part, its lanes have four columns each.
constexpr int kColumnWarps = 8;
constexpr int kColumns = 4 * Warp::kLanes;

/// The columns and rows of this thread.
struct Columns {
  std::int64_t first;  ///< column
  std::int64_t count;  ///< 0 to 4
  Part part;

  __device__ Columns(std::int64_t rows, std::int64_t width, std::int64_t part_rows)
      : first(static_cast<std::int64_t>(blockIdx.x) * kColumns + threadIdx.x % Warp::kLanes * 4),
        count(width - first < 0 ? 0 : (width - first < 4 ? width - first : 4)) {
    const std::int64_t start = static_cast<std::int64_t>(blockIdx.y) * part_rows;
    part = {start + threadIdx.x / Warp::kLanes, rows < start + part_rows ? rows : start + part_rows, kColumnWarps};
  }
};

/// What the lanes of a block add up for their columns.
template <class Scalar>
class ColumnSums {
 public:
  __device__ void put(const Four<Scalar>& share) {
    for (int i = 0; i < 4; ++i) sums_[threadIdx.x / Warp::kLanes][threadIdx.x % Warp::kLanes * 4 + i] = share[i];
  }
  /// The sum over the warps, in their order; after a barrier.
  __device__ Scalar total(int column) const {
    Scalar total = sums_[0][column];
    for (int warp = 1; warp < kColumnWarps; ++warp) total += sums_[warp][column];
    return total;
  }

 private:
  Scalar sums_[kColumnWarps][kColumns];
};

dim3 column_grid(std::int64_t rows, std::int64_t width, std::int64_t part_rows) {
  return {blocks(width, kColumns), blocks(rows, part_rows)};
}

template <class Stored>
__global__ void drop_kernel(const Stored* in, Stored* out, std::int64_t rows, std::int64_t width,
                            simd::RowPlaces places, simd::Drop drop) {
  const std::int64_t r = own_row();
  if (r < rows) drop_row(Warp{}, in, out, r, width, places, drop);
}

template <class Stored>
__global__ void norm_kernel(simd::NormRows<Stored> all) {
  extern __shared__ double memory[];  // double: aligned for either type
  const std::int64_t r = own_row();
  auto* const sums = reinterpret_cast<Compute<Stored>*>(memory) + threadIdx.x / Warp::kLanes * all.width;
  if (r < all.rows) norm_row(Warp{}, all, r, sums);
}

template <class Stored>
__global__ void norm_backward_kernel(simd::NormGradientRows<Stored> all) {
  const std::int64_t r = own_row();
  if (r < all.rows) norm_row_backward(Warp{}, all, r);
}

template <class Stored>
__global__ void __launch_bounds__(kColumnWarps* Warp::kLanes)
    norm_column_kernel(simd::NormGradientRows<Stored> all, std::int64_t part_rows) {
  __shared__ ColumnSums<Compute<Stored>> weight, bias;
  const Columns own(all.rows, all.width, part_rows);
  const auto share = own.count > 0 ? norm_columns(all, own.part, own.first, own.count) : NormShare<Compute<Stored>>{};
  weight.put(share.weight);
  bias.put(share.bias);
  __syncthreads();
  const int column = static_cast<int>(threadIdx.x) % kColumns;
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kColumns + column;
  if (c >= all.width) return;
  Compute<Stored>* const sums = all.weight_gradient + 2 * blockIdx.y * all.width + c;
  if (threadIdx.x < kColumns)
    sums[0] = weight.total(column);
  else if (threadIdx.x < 2 * kColumns)
    sums[all.width] = bias.total(column);
}

template <class Stored>
__global__ void __launch_bounds__(kColumnWarps* Warp::kLanes)
    gelu_kernel(GeluRows<Stored> all, Stored* out, std::int64_t part_rows) {
  const Columns own(all.rows, all.width, part_rows);
  if (own.count > 0) gelu_columns(all, out, own.part, own.first, own.count);
}

template <class Stored>
__global__ void __launch_bounds__(kColumnWarps* Warp::kLanes)
    gelu_backward_kernel(GeluRows<Stored> all, GeluGradient<Stored> to, std::int64_t part_rows, float* bias_gradient) {
  __shared__ ColumnSums<float> bias;
  const Columns own(all.rows, all.width, part_rows);
  bias.put(own.count > 0 ? gelu_columns_backward(all, to, own.part, own.first, own.count) : Four<float>{});
  __syncthreads();
  const int column = static_cast<int>(threadIdx.x);
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kColumns + column;
  if (column < kColumns && c < all.width) bias_gradient[blockIdx.y * all.width + c] = bias.total(column);
}

}  // namespace

template <class Stored>
void drop_rows(const Stored* in, Stored* out, std::int64_t rows, std::int64_t width, const simd::RowPlaces& places,
               const simd::Drop& drop, Stream stream) {
  if (rows == 0) return;
  drop_kernel<<<blocks(rows * Warp::kLanes, kThreads), kThreads, 0, stream>>>(in, out, rows, width, places, drop);
  check_launch("dropout");
}

template <class Stored>
void norm(const simd::NormRows<Stored>& all, Stream stream) {
  if (all.rows == 0) return;
  const auto row_bytes = static_cast<std::int64_t>(sizeof(Compute<Stored>)) * all.width;
  int threads = kThreads;
  while (threads > Warp::kLanes && row_bytes * threads / Warp::kLanes > kSharedBytes) threads /= 2;
  if (row_bytes * threads / Warp::kLanes > kSharedBytes) throw std::runtime_error("norm: a row does not fit a GPU");
  norm_kernel<<<blocks(all.rows * Warp::kLanes, threads), threads, row_bytes * threads / Warp::kLanes, stream>>>(all);
  check_launch("norm");
}

template <class Stored>
void norm_backward(const simd::NormGradientRows<Stored>& all, std::int64_t part_rows, Stream stream) {
  if (all.rows == 0) return;
  norm_backward_kernel<<<blocks(all.rows * Warp::kLanes, kThreads), kThreads, 0, stream>>>(all);
  norm_column_kernel<<<column_grid(all.rows, all.width, part_rows), kColumnWarps * Warp::kLanes, 0, stream>>>(
      all, part_rows);
  check_launch("norm_backward");
}

template <class Stored>
void gelu(const GeluRows<Stored>& all, Stored* out, Stream stream) {
  if (all.rows == 0) return;
  // Enough rows for a thread that its bias is worth keeping.
  constexpr std::int64_t kPartRows = 8 * kColumnWarps;
  gelu_kernel<<<column_grid(all.rows, all.width, kPartRows), kColumnWarps * Warp::kLanes, 0, stream>>>(all, out,
                                                                                                       kPartRows);
  check_launch("gelu");
}

template <class Stored>
void gelu_backward(const GeluRows<Stored>& all, const GeluGradient<Stored>& to, std::int64_t part_rows,
                   float* bias_gradient, Stream stream) {
  if (all.rows == 0) return;
  gelu_backward_kernel<<<column_grid(all.rows, all.width, part_rows), kColumnWarps * Warp::kLanes, 0, stream>>>(
      all, to, part_rows, bias_gradient);
  check_launch("gelu_backward");
}

template void drop_rows(const float*, float*, std::int64_t, std::int64_t, const simd::RowPlaces&, const simd::Drop&,
                        Stream);
template void drop_rows(const double*, double*, std::int64_t, std::int64_t, const simd::RowPlaces&, const simd::Drop&,
                        Stream);
template void drop_rows(const BFloat*, BFloat*, std::int64_t, std::int64_t, const simd::RowPlaces&, const simd::Drop&,
                        Stream);
template void norm(const simd::NormRows<float>&, Stream);
template void norm(const simd::NormRows<double>&, Stream);
template void norm(const simd::NormRows<BFloat>&, Stream);
template void norm_backward(const simd::NormGradientRows<float>&, std::int64_t, Stream);
template void norm_backward(const simd::NormGradientRows<double>&, std::int64_t, Stream);
template void norm_backward(const simd::NormGradientRows<BFloat>&, std::int64_t, Stream);
template void gelu(const GeluRows<float>&, float*, Stream);
template void gelu(const GeluRows<BFloat>&, BFloat*, Stream);
template void gelu_backward(const GeluRows<float>&, const GeluGradient<float>&, std::int64_t, float*, Stream);
template void gelu_backward(const GeluRows<BFloat>&, const GeluGradient<BFloat>&, std::int64_t, float*, Stream);

}  // namespace coterie::kernels::gpu
