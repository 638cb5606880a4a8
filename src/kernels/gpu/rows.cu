// Dropout, LayerNorm and GELU on a GPU: kernels with a warp for each row, and how these and those over columns are
// started.
#include "kernels/gpu/column_kernels.cuh"
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

dim3 column_grid(std::int64_t rows, std::int64_t width, std::int64_t part_rows) {
  return {blocks(width, kBlockColumns), blocks(rows, part_rows)};
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
  norm_column_kernel<<<column_grid(all.rows, all.width, part_rows), kColumnThreads, 0, stream>>>(all, part_rows);
  check_launch("norm_backward");
}

template <class Stored>
void gelu(const GeluRows<Stored>& all, Stored* out, Stream stream) {
  if (all.rows == 0) return;
  // Enough rows for a thread that its bias is worth keeping.
  constexpr std::int64_t kPartRows = 8 * kColumnWarps;
  gelu_kernel<<<column_grid(all.rows, all.width, kPartRows), kColumnThreads, 0, stream>>>(all, out, kPartRows);
  check_launch("gelu");
}

template <class Stored>
void gelu_backward(const GeluRows<Stored>& all, const GeluGradient<Stored>& to, std::int64_t part_rows,
                   float* bias_gradient, Stream stream) {
  if (all.rows == 0) return;
  gelu_backward_kernel<<<column_grid(all.rows, all.width, part_rows), kColumnThreads, 0, stream>>>(all, to, part_rows,
                                                                                                   bias_gradient);
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
