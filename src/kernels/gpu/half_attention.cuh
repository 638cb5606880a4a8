// The kernels of attention in bf16 on tensor cores: a warp for 16 queries, and in backward for 16 keys.
//
// A block takes 64 neighbouring rows of one head of one sequence; its warps share tiles of 64 rows of the other side in
// shared memory. No atomic additions: the bits repeat. The bits of dropout are those of the CPU: one call of Philox
// gives those of a query and four neighbouring keys, and the lanes that hold them share it.
//
// Source: Dao 2023 (arXiv:2307.08691), the order of the loops; the backward pass makes the scores twice instead of
// adding from several blocks.
#pragma once

#include "kernels/gpu/launch.h"
#include "kernels/gpu/tensor_cores.cuh"

namespace coterie::kernels::gpu::half {

inline constexpr int kLanes = 32;
inline constexpr int kWarps = 4;
inline constexpr int kBlockRows = 16 * kWarps;
inline constexpr float kLog2E = 1.44269504F;
static_assert(kBlockRows == SharedRows<32>::kRows);

/// Where this warp works: sequence `b`, and the head of the grid's second direction.
struct Spot {
  std::int64_t token, length, column, row;  // first token of the sequence; first row of this warp
  std::uint32_t sequence;
  int lane;

  __device__ Spot(const Attention<BFloat>& batch, std::int64_t b)
      : token(batch.offsets[b]),
        length(batch.offsets[b + 1] - token),
        column(blockIdx.y * batch.width),
        row(static_cast<std::int64_t>(blockIdx.x) * kBlockRows + threadIdx.x / kLanes * 16),
        sequence(static_cast<std::uint32_t>(batch.sequence[b])),
        lane(static_cast<int>(threadIdx.x) % kLanes) {}

  /// The same for all threads of the block, which meet at the tiles.
  __device__ bool block_has_rows() const { return static_cast<std::int64_t>(blockIdx.x) * kBlockRows < length; }
  template <class Element>
  __device__ simd::Rows<Element> of(simd::Rows<Element> all) const {
    return {all.data + token * all.stride + column, all.stride};
  }
  /// Bit i: whether the probability of `query` and key 4 `group` + i is kept.
  __device__ unsigned kept(const simd::Drop& drop, std::int64_t query, std::int64_t group) const {
    const auto words = philox(RandomKey{drop.key}, {sequence, blockIdx.y << 16U | static_cast<std::uint32_t>(query),
                                                    static_cast<std::uint32_t>(group), 1});
    unsigned bits = 0;
    for (unsigned i = 0; i < 4; ++i) bits |= (words[i] >= drop.limit ? 1U : 0U) << i;
    return bits;
  }
  /// Which of this lane's four numbers of a tile are kept, bit by bit: own queries by the eight keys from `key`.
  __device__ unsigned kept_of_queries(const simd::Drop& drop, std::int64_t key) const {
    if (drop.limit == 0) return 0xFU;
    const unsigned odd = static_cast<unsigned>(lane) % 2;
    unsigned both = kept(drop, row + lane / 4 + 8 * odd, key / 4 + lane % 4 / 2) << (4 * odd);
    both |= of_lane_xor(both, 1);
    return (both >> (2 * odd) & 3U) | (both >> (4 + 2 * odd) & 3U) << 2U;
  }
  /// The same for own keys by the eight queries from `query`.
  __device__ unsigned kept_of_keys(const simd::Drop& drop, std::int64_t query) const {
    if (drop.limit == 0) return 0xFU;
    const unsigned turn = static_cast<unsigned>(lane) / 4 % 4;
    unsigned all = kept(drop, query + lane % 4 * 2 + turn % 2, row / 4 + turn / 2 * 2 + lane / 16) << (4 * turn);
    all |= of_lane_xor(all, 4);
    all |= of_lane_xor(all, 8);
    unsigned own = 0;
    for (unsigned i = 0; i < 4; ++i) own |= (all >> (4 * i + turn) & 1U) << i;
    return own;
  }
};

/// Over the four lanes that share a row.
__device__ inline float row_sum(float value) {
  value += of_lane_xor(value, 1);
  return value + of_lane_xor(value, 2);
}
__device__ inline float row_max(float value) {
  value = fmaxf(value, of_lane_xor(value, 1));
  return fmaxf(value, of_lane_xor(value, 2));
}

template <int kWidth>
__device__ float scale() {
  return rsqrtf(static_cast<float>(kWidth));
}

template <int kWidth>
__global__ void __launch_bounds__(kLanes* kWarps)
    attend_kernel(Attention<BFloat> batch, simd::Rows<BFloat> out, float* log_sum) {
  __shared__ SharedRows<kWidth> keys, values;
  const float scale2 = scale<kWidth>() * kLog2E;
  for (std::int64_t b = blockIdx.z; b < batch.sequences; b += gridDim.z) {
    const Spot spot(batch, b);
    if (!spot.block_has_rows()) continue;
    const OwnRows<kWidth> query(spot.of(batch.query), spot.row, spot.length, spot.lane);
    RowSums<kWidth> sums;
    float max[2] = {-INFINITY, -INFINITY};
    float sum[2] = {0, 0};
    for (std::int64_t first = 0; first < spot.length; first += kBlockRows) {
      block_barrier();
      keys.load(spot.of(batch.key), first, spot.length);
      values.load(spot.of(batch.value), first, spot.length);
      block_barrier();
      Sums score[kBlockRows / 8];
      float highest[2] = {max[0], max[1]};
#pragma unroll
      for (int n = 0; n < kBlockRows / 8; ++n) {
        score[n] = query.times(keys, n, spot.lane);
        for (int i = 0; i < 4; ++i) {
          if (first + 8 * n + spot.lane % 4 * 2 + i % 2 >= spot.length) score[n].of[i] = -INFINITY;
          highest[i / 2] = fmaxf(highest[i / 2], score[n].of[i]);
        }
      }
      float fade[2];
      for (int half = 0; half < 2; ++half) {
        highest[half] = row_max(highest[half]);
        fade[half] = exp2f((max[half] - highest[half]) * scale2);
        max[half] = highest[half];
        sum[half] *= fade[half];
      }
      sums.scale(fade[0], fade[1]);
#pragma unroll
      for (int n = 0; n < kBlockRows / 8; ++n) {
        const unsigned kept = spot.kept_of_queries(batch.drop, first + 8 * n);
        for (int i = 0; i < 4; ++i) {
          const float share = exp2f((score[n].of[i] - max[i / 2]) * scale2);
          sum[i / 2] += share;
          score[n].of[i] = (kept >> i & 1U) != 0 ? share : 0.0F;
        }
      }
#pragma unroll
      for (int j = 0; j < kBlockRows / 16; ++j) sums.add(left_of(score[2 * j], score[2 * j + 1]), values, j, spot.lane);
    }
    const auto kept = static_cast<float>(batch.drop.kept);
    for (float& half : sum) half = row_sum(half);
    sums.scale(kept / sum[0], kept / sum[1]);
    sums.write(spot.of(out), spot.row, spot.length, spot.lane);
    for (int half = 0; half < 2; ++half) {
      const std::int64_t r = spot.row + spot.lane / 4 + 8 * half;
      if (spot.lane % 4 == 0 && r < spot.length)
        log_sum[blockIdx.y * batch.tokens + spot.token + r] = max[half] * scale<kWidth>() + logf(sum[half]);
    }
  }
}

/// Output times its gradient, summed over the columns, of this lane's two rows.
template <int kWidth>
__device__ void delta_of(const OwnRows<kWidth>& out, const OwnRows<kWidth>& gradient, float* delta) {
  for (int half = 0; half < 2; ++half) {
    float sum = 0;
#pragma unroll
    for (int n = 0; n < 2 * OwnRows<kWidth>::kSteps; ++n) {
      const std::uint32_t left = out.steps[n / 2].of[half + n % 2 * 2];
      const std::uint32_t right = gradient.steps[n / 2].of[half + n % 2 * 2];
      sum += __uint_as_float(left << 16U) * __uint_as_float(right << 16U) +
             __uint_as_float(left & 0xFFFF0000U) * __uint_as_float(right & 0xFFFF0000U);
    }
    delta[half] = row_sum(sum);
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kLanes* kWarps)
    query_backward_kernel(Attention<BFloat> batch, AttentionGradient<BFloat> gradient) {
  __shared__ SharedRows<kWidth> keys, values;
  const float scale2 = scale<kWidth>() * kLog2E;
  const auto factor = static_cast<float>(batch.drop.kept);
  for (std::int64_t b = blockIdx.z; b < batch.sequences; b += gridDim.z) {
    const Spot spot(batch, b);
    if (!spot.block_has_rows()) continue;
    const OwnRows<kWidth> query(spot.of(batch.query), spot.row, spot.length, spot.lane);
    const OwnRows<kWidth> arriving(spot.of(gradient.out_gradient), spot.row, spot.length, spot.lane);
    float delta[2], log_sum2[2];
    delta_of(OwnRows<kWidth>(spot.of(gradient.out), spot.row, spot.length, spot.lane), arriving, delta);
    for (int half = 0; half < 2; ++half) {
      const std::int64_t r = spot.row + spot.lane / 4 + 8 * half;
      const std::int64_t place = blockIdx.y * batch.tokens + spot.token + r;
      log_sum2[half] = r < spot.length ? gradient.log_sum[place] * kLog2E : 0.0F;
      if (spot.lane % 4 == 0 && r < spot.length) gradient.delta[place] = delta[half];
    }
    RowSums<kWidth> sums;
    for (std::int64_t first = 0; first < spot.length; first += kBlockRows) {
      block_barrier();
      keys.load(spot.of(batch.key), first, spot.length);
      values.load(spot.of(batch.value), first, spot.length);
      block_barrier();
#pragma unroll
      for (int j = 0; j < kBlockRows / 16; ++j) {
        Sums change[2];
#pragma unroll
        for (int side = 0; side < 2; ++side) {
          const int n = 2 * j + side;
          const Sums score = query.times(keys, n, spot.lane);
          const Sums product = arriving.times(values, n, spot.lane);
          const unsigned kept = spot.kept_of_queries(batch.drop, first + 8 * n);
          for (int i = 0; i < 4; ++i) {
            const bool there = first + 8 * n + spot.lane % 4 * 2 + i % 2 < spot.length;
            const float share = there ? exp2f(score.of[i] * scale2 - log_sum2[i / 2]) : 0.0F;
            const float change_of_share = (kept >> i & 1U) != 0 ? factor * product.of[i] : 0.0F;
            change[side].of[i] = share * (change_of_share - delta[i / 2]);
          }
        }
        sums.add(left_of(change[0], change[1]), keys, j, spot.lane);
      }
    }
    sums.scale(scale<kWidth>(), scale<kWidth>());
    sums.write(spot.of(gradient.query), spot.row, spot.length, spot.lane);
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kLanes* kWarps)
    key_backward_kernel(Attention<BFloat> batch, AttentionGradient<BFloat> gradient) {
  __shared__ SharedRows<kWidth> queries, arriving;
  __shared__ float log_sum2[kBlockRows], delta[kBlockRows];
  const float scale2 = scale<kWidth>() * kLog2E;
  const auto factor = static_cast<float>(batch.drop.kept);
  for (std::int64_t b = blockIdx.z; b < batch.sequences; b += gridDim.z) {
    const Spot spot(batch, b);
    if (!spot.block_has_rows()) continue;
    const OwnRows<kWidth> key(spot.of(batch.key), spot.row, spot.length, spot.lane);
    const OwnRows<kWidth> value(spot.of(batch.value), spot.row, spot.length, spot.lane);
    RowSums<kWidth> key_sums, value_sums;
    for (std::int64_t first = 0; first < spot.length; first += kBlockRows) {
      block_barrier();
      queries.load(spot.of(batch.query), first, spot.length);
      arriving.load(spot.of(gradient.out_gradient), first, spot.length);
      if (threadIdx.x < kBlockRows) {
        const std::int64_t q = first + threadIdx.x;
        const std::int64_t place = blockIdx.y * batch.tokens + spot.token + q;
        // A query that is not there has the share 2^-inf = 0.
        log_sum2[threadIdx.x] = q < spot.length ? gradient.log_sum[place] * kLog2E : INFINITY;
        delta[threadIdx.x] = q < spot.length ? gradient.delta[place] : 0.0F;
      }
      block_barrier();
#pragma unroll
      for (int j = 0; j < kBlockRows / 16; ++j) {
        Sums share[2], change[2];
#pragma unroll
        for (int side = 0; side < 2; ++side) {
          const int n = 2 * j + side;
          const Sums score = key.times(queries, n, spot.lane);
          const Sums product = value.times(arriving, n, spot.lane);
          const unsigned kept = spot.kept_of_keys(batch.drop, first + 8 * n);
          for (int i = 0; i < 4; ++i) {
            const int q = 8 * n + spot.lane % 4 * 2 + i % 2;
            const bool is_kept = (kept >> i & 1U) != 0;
            const float probability = exp2f(score.of[i] * scale2 - log_sum2[q]);
            share[side].of[i] = is_kept ? probability : 0.0F;
            change[side].of[i] = probability * ((is_kept ? factor * product.of[i] : 0.0F) - delta[q]);
          }
        }
        key_sums.add(left_of(change[0], change[1]), queries, j, spot.lane);
        value_sums.add(left_of(share[0], share[1]), arriving, j, spot.lane);
      }
    }
    key_sums.scale(scale<kWidth>(), scale<kWidth>());
    value_sums.scale(factor, factor);
    key_sums.write(spot.of(gradient.key), spot.row, spot.length, spot.lane);
    value_sums.write(spot.of(gradient.value), spot.row, spot.length, spot.lane);
  }
}

}  // namespace coterie::kernels::gpu::half
