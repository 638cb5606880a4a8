// Attention on a GPU in any dtype and with dropout: a warp for each query, and in backward for each key.
//
// A block takes kWarps neighbouring rows of one head of one sequence; its warps share tiles of the other side in shared
// memory, 32 rows at a time, a column apart so that lanes do not meet in one bank. No atomic additions: the bits
// repeat.
#include "kernels/gpu/attention_grid.cuh"
#include "kernels/gpu/attention_math.h"
#include "kernels/gpu/launch.h"
#include "kernels/gpu/warp.cuh"

namespace coterie::kernels::gpu {
namespace {

constexpr int kWarps = 8;
constexpr int kTileRows = Warp::kLanes;

/// Two tiles in shared memory.
template <class Scalar>
class Tiles {
 public:
  __device__ Tiles(double* memory, std::int64_t width)
      : width_(width), left_(reinterpret_cast<Scalar*>(memory)), right_(left_ + kTileRows * (width + 1)) {}

  /// Loads rows `first` and following of both matrices, up to `length`, together with all threads of the block.
  template <class Stored>
  __device__ Tile<Scalar> load_rows(simd::Rows<const Stored> left, simd::Rows<const Stored> right, std::int64_t first,
                                    std::int64_t length) {
    const std::int64_t count = length - first < kTileRows ? length - first : std::int64_t{kTileRows};
    __syncthreads();  // nobody reads the tiles before any more
    for (std::int64_t n = threadIdx.x; n < count * width_; n += blockDim.x) {
      const std::int64_t r = n / width_;
      const std::int64_t c = n % width_;
      left_[r * (width_ + 1) + c] = load(left.data + (first + r) * left.stride + c);
      right_[r * (width_ + 1) + c] = load(right.data + (first + r) * right.stride + c);
    }
    __syncthreads();
    return {{left_, width_ + 1}, {right_, width_ + 1}, first, count};
  }

 private:
  std::int64_t width_;
  Scalar* left_;
  Scalar* right_;
};

template <class Element>
__device__ simd::Rows<Element> head_rows(simd::Rows<Element> all, std::int64_t token, std::int64_t column) {
  return {all.data + token * all.stride + column, all.stride};
}

/// Where this block works: sequence `b` of the grid's third direction, the head of its second.
template <class Stored>
struct Spot {
  std::int64_t token, length, column, row;  // first token of the sequence; row of this warp
  Place place;

  __device__ Spot(const Attention<Stored>& batch, std::int64_t b)
      : token(batch.offsets[b]),
        length(batch.offsets[b + 1] - token),
        column(blockIdx.y * batch.width),
        row(static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / Warp::kLanes),
        place{batch.width, row, static_cast<std::uint32_t>(batch.sequence[b]), blockIdx.y, batch.drop} {}

  /// Whether any warp of the block has a row: the same for all its threads, which meet at the tiles.
  __device__ bool block_has_rows() const { return static_cast<std::int64_t>(blockIdx.x) * kWarps < length; }
  __device__ bool has_row() const { return row < length; }
};

template <class Stored>
__global__ void attend_kernel(Attention<Stored> batch, simd::Rows<Stored> out, Compute<Stored>* log_sum) {
  using Scalar = Compute<Stored>;
  extern __shared__ double memory[];
  Tiles<Scalar> tiles(memory, batch.width);
  for (std::int64_t b = blockIdx.z; b < batch.sequences; b += gridDim.z) {
    const Spot<Stored> spot(batch, b);
    if (!spot.block_has_rows()) continue;
    const auto query = head_rows(batch.query, spot.token + spot.row, spot.column);
    Softmax<Warp, Scalar> softmax;
    for (std::int64_t first = 0; first < spot.length; first += kTileRows) {
      const auto tile = tiles.load_rows(head_rows(batch.key, spot.token, spot.column),
                                        head_rows(batch.value, spot.token, spot.column), first, spot.length);
      if (spot.has_row()) attend_tile(Warp{}, spot.place, query.data, tile, softmax);
    }
    if (!spot.has_row()) continue;
    write_held(Warp{}, softmax.out, Scalar{1} / softmax.sum, batch.width,
               head_rows(out, spot.token + spot.row, spot.column).data);
    if (Warp{}.lane() == 0)
      log_sum[blockIdx.y * batch.tokens + spot.token + spot.row] = softmax.max + std::log(softmax.sum);
  }
}

template <class Stored>
__global__ void query_backward_kernel(Attention<Stored> batch, AttentionGradient<Stored> gradient) {
  using Scalar = Compute<Stored>;
  extern __shared__ double memory[];
  Tiles<Scalar> tiles(memory, batch.width);
  for (std::int64_t b = blockIdx.z; b < batch.sequences; b += gridDim.z) {
    const Spot<Stored> spot(batch, b);
    if (!spot.block_has_rows()) continue;
    const std::int64_t token = spot.token + spot.row;
    const std::int64_t place = blockIdx.y * batch.tokens + token;
    QueryBackward<Scalar, Stored> q;
    if (spot.has_row()) {
      q.query = head_rows(batch.query, token, spot.column).data;
      q.out_gradient = head_rows(gradient.out_gradient, token, spot.column).data;
      q.log_sum = gradient.log_sum[place];
      q.delta = delta_of(Warp{}, head_rows(gradient.out, token, spot.column).data, q.out_gradient, batch.width);
      if (Warp{}.lane() == 0) gradient.delta[place] = q.delta;
    }
    Scalar held[kColumns<Warp>] = {};
    for (std::int64_t first = 0; first < spot.length; first += kTileRows) {
      const auto tile = tiles.load_rows(head_rows(batch.key, spot.token, spot.column),
                                        head_rows(batch.value, spot.token, spot.column), first, spot.length);
      if (spot.has_row()) query_gradient_tile(Warp{}, spot.place, q, tile, held);
    }
    if (spot.has_row())
      write_held(Warp{}, held, spot.place.template scale<Scalar>(), batch.width,
                 head_rows(gradient.query, token, spot.column).data);
  }
}

template <class Stored>
__global__ void key_backward_kernel(Attention<Stored> batch, AttentionGradient<Stored> gradient) {
  using Scalar = Compute<Stored>;
  extern __shared__ double memory[];
  Tiles<Scalar> tiles(memory, batch.width);
  for (std::int64_t b = blockIdx.z; b < batch.sequences; b += gridDim.z) {
    const Spot<Stored> spot(batch, b);
    if (!spot.block_has_rows()) continue;
    const std::int64_t token = spot.token + spot.row;
    const auto key = head_rows(batch.key, token, spot.column);
    const auto value = head_rows(batch.value, token, spot.column);
    Scalar held_key[kColumns<Warp>] = {};
    Scalar held_value[kColumns<Warp>] = {};
    for (std::int64_t first = 0; first < spot.length; first += kTileRows) {
      const auto tile = tiles.load_rows(head_rows(batch.query, spot.token, spot.column),
                                        head_rows(gradient.out_gradient, spot.token, spot.column), first, spot.length);
      const std::int64_t place = blockIdx.y * batch.tokens + spot.token + first;
      if (spot.has_row())
        key_gradient_tile(Warp{}, spot.place, key.data, value.data, tile, gradient.log_sum + place,
                          static_cast<const Scalar*>(gradient.delta) + place, held_key, held_value);
    }
    if (!spot.has_row()) continue;
    write_held(Warp{}, held_key, spot.place.template scale<Scalar>(), batch.width,
               head_rows(gradient.key, token, spot.column).data);
    write_held(Warp{}, held_value, Scalar{1}, batch.width, head_rows(gradient.value, token, spot.column).data);
  }
}

/// How a kernel over the rows of all heads is started.
struct Launch {
  dim3 grid;
  std::int64_t shared_bytes;

  template <class Stored>
  explicit Launch(const Attention<Stored>& batch)
      : grid(attention_grid(batch, kWarps)),
        shared_bytes(2 * kTileRows * (batch.width + 1) * static_cast<std::int64_t>(sizeof(Compute<Stored>))) {}
};

}  // namespace

template <class Stored>
void attend(const Attention<Stored>& batch, simd::Rows<Stored> out, Compute<Stored>* log_sum, Stream stream) {
  const Launch launch(batch);
  attend_kernel<<<launch.grid, kWarps * Warp::kLanes, launch.shared_bytes, stream>>>(batch, out, log_sum);
  check_launch("attention");
}

template <class Stored>
void attend_backward(const Attention<Stored>& batch, const AttentionGradient<Stored>& gradient, Stream stream) {
  const Launch launch(batch);
  query_backward_kernel<<<launch.grid, kWarps * Warp::kLanes, launch.shared_bytes, stream>>>(batch, gradient);
  key_backward_kernel<<<launch.grid, kWarps * Warp::kLanes, launch.shared_bytes, stream>>>(batch, gradient);
  check_launch("attention backward");
}

template void attend(const Attention<float>&, simd::Rows<float>, float*, Stream);
template void attend(const Attention<double>&, simd::Rows<double>, double*, Stream);
template void attend(const Attention<BFloat>&, simd::Rows<BFloat>, float*, Stream);
template void attend_backward(const Attention<float>&, const AttentionGradient<float>&, Stream);
template void attend_backward(const Attention<double>&, const AttentionGradient<double>&, Stream);
template void attend_backward(const Attention<BFloat>&, const AttentionGradient<BFloat>&, Stream);

}  // namespace coterie::kernels::gpu
