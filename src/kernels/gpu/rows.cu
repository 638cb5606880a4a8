// Dropout, LayerNorm and GELU on a GPU: a warp for each row, a thread for each column of a part of the rows.
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

/// The part and the column of this thread.
__device__ std::int64_t own_column() { return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

__device__ Part own_part(std::int64_t rows, std::int64_t part_rows) {
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.y) * part_rows;
  return {first, rows - first < part_rows ? rows - first : part_rows};
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
__global__ void norm_column_kernel(simd::NormGradientRows<Stored> all, std::int64_t part_rows) {
  const std::int64_t c = own_column();
  Compute<Stored>* const weight = all.weight_gradient + 2 * blockIdx.y * all.width + c;
  if (c < all.width) norm_column(all, own_part(all.rows, part_rows), c, weight, weight + all.width);
}

template <class Stored>
__global__ void gelu_kernel(GeluRows<Stored> all, Stored* out) {
  const std::int64_t at = own_column();
  if (at < all.rows * all.width) store(out + at, gelu(load(all.values + at) + all.bias[at % all.width]));
}

template <class Stored>
__global__ void gelu_backward_kernel(GeluRows<Stored> all, GeluGradient<Stored> to, std::int64_t part_rows,
                                     float* bias_gradient) {
  const std::int64_t c = own_column();
  if (c < all.width)
    gelu_column_backward(all, to, own_part(all.rows, part_rows), c, bias_gradient + blockIdx.y * all.width + c);
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
  const dim3 grid(blocks(all.width, kThreads), blocks(all.rows, part_rows));
  norm_column_kernel<<<grid, kThreads, 0, stream>>>(all, part_rows);
  check_launch("norm_backward");
}

template <class Stored>
void gelu(const GeluRows<Stored>& all, Stored* out, Stream stream) {
  if (all.rows == 0) return;
  gelu_kernel<<<blocks(all.rows * all.width, kThreads), kThreads, 0, stream>>>(all, out);
  check_launch("gelu");
}

template <class Stored>
void gelu_backward(const GeluRows<Stored>& all, const GeluGradient<Stored>& to, std::int64_t part_rows,
                   float* bias_gradient, Stream stream) {
  if (all.rows == 0) return;
  const dim3 grid(blocks(all.width, kThreads), blocks(all.rows, part_rows));
  gelu_backward_kernel<<<grid, kThreads, 0, stream>>>(all, to, part_rows, bias_gradient);
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
