// Warps of a GPU played by threads of the CPU, so that kernels can be tested where no GPU is: the words of CUDA's
// language that they use, and what the file of the same name in src/kernels/gpu gives, written after the description of
// the instructions. Slow: every step of a warp is a meeting of 32 threads.
//
// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16", "Warp-level matrix load instruction: ldmatrix".
#pragma once

#include <array>
#include <barrier>
#include <bit>
#include <cmath>
#include <cstdint>
#include <thread>
#include <vector>

#include "kernels/gpu/team.h"

#define __device__
#define __global__
#define __shared__ static
#define __launch_bounds__(threads)

namespace coterie::kernels::gpu {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};
inline thread_local Index threadIdx, blockIdx, blockDim, gridDim;

struct alignas(16) uint4 {
  std::uint32_t x, y, z, w;
};

inline float rsqrtf(float x) { return 1.0F / std::sqrt(x); }
inline float __uint_as_float(std::uint32_t bits) { return std::bit_cast<float>(bits); }

/// 32 threads that show each other what they hold.
class EmulatedWarp {
 public:
  static constexpr int kLanes = 32;
  using Words = std::array<std::uint32_t, 6>;

  /// Shows `mine`, and calls use(what each lane showed).
  template <class Use>
  auto meet(int lane, const Words& mine, const Use& use) {
    words_[static_cast<std::size_t>(lane)] = mine;
    barrier_.arrive_and_wait();
    const auto result = use(words_);
    barrier_.arrive_and_wait();
    return result;
  }
  template <class Use>
  auto meet_rows(int lane, const simd::BFloat* mine, const Use& use) {
    rows_[static_cast<std::size_t>(lane)] = mine;
    barrier_.arrive_and_wait();
    const auto result = use(rows_);
    barrier_.arrive_and_wait();
    return result;
  }

 private:
  std::barrier<> barrier_{kLanes};
  std::array<Words, kLanes> words_{};
  std::array<const simd::BFloat*, kLanes> rows_{};
};

inline thread_local EmulatedWarp* own_warp = nullptr;
inline thread_local std::barrier<>* own_block = nullptr;
inline int own_lane() { return static_cast<int>(threadIdx.x) % EmulatedWarp::kLanes; }

/// Runs a kernel block by block.
template <class Kernel>
void run_emulated(const Index& grid, unsigned threads, const Kernel& kernel) {
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        std::barrier<> block(threads);
        std::vector<EmulatedWarp> warps(threads / EmulatedWarp::kLanes);
        std::vector<std::jthread> running;
        for (unsigned n = 0; n < threads; ++n)
          running.emplace_back([&, n] {
            threadIdx = {n, 0, 0};
            blockIdx = {x, y, z};
            blockDim = {threads, 1, 1};
            gridDim = grid;
            own_warp = &warps[n / EmulatedWarp::kLanes];
            own_block = &block;
            kernel();
          });
      }
}

inline void block_barrier() { own_block->arrive_and_wait(); }

template <class Value>
Value of_lane_xor(Value value, int mask) {
  return own_warp->meet(own_lane(), {std::bit_cast<std::uint32_t>(value)}, [&](const auto& words) {
    return std::bit_cast<Value>(words[static_cast<std::size_t>(own_lane() ^ mask)][0]);
  });
}

inline std::uint32_t pair_of(float first, float second) {
  simd::BFloat both[2];
  store(both, first);
  store(both + 1, second);
  return both[0].bits | static_cast<std::uint32_t>(both[1].bits) << 16U;
}

struct Pairs {
  std::uint32_t of[4];
};
struct Sums {
  float of[4] = {0, 0, 0, 0};
};

inline void multiply_tiles(Sums& sum, const Pairs& left, std::uint32_t upper, std::uint32_t lower) {
  const EmulatedWarp::Words mine = {left.of[0], left.of[1], left.of[2], left.of[3], upper, lower};
  sum = own_warp->meet(own_lane(), mine, [&](const auto& words) {
    const auto half = [](std::uint32_t pair, int which) {
      return std::bit_cast<float>(which == 0 ? pair << 16U : pair & 0xFFFF0000U);
    };
    const auto left_at = [&](int row, int k) {
      const auto lane = static_cast<std::size_t>(row % 8 * 4 + k % 8 / 2);
      return half(words[lane][static_cast<std::size_t>(row / 8 + k / 8 * 2)], k % 2);
    };
    const auto right_at = [&](int k, int column) {
      const auto lane = static_cast<std::size_t>(column * 4 + k % 8 / 2);
      return half(words[lane][static_cast<std::size_t>(4 + k / 8)], k % 2);
    };
    Sums result = sum;
    for (int i = 0; i < 4; ++i)
      for (int k = 0; k < 16; ++k)
        result.of[i] += left_at(own_lane() / 4 + i / 2 * 8, k) * right_at(k, own_lane() % 4 * 2 + i % 2);
    return result;
  });
}

inline Pairs load_tiles(const simd::BFloat* row) {
  return own_warp->meet_rows(own_lane(), row, [](const auto& rows) {
    Pairs tiles{};
    for (std::size_t m = 0; m < 4; ++m) {
      const simd::BFloat* const from = rows[8 * m + static_cast<std::size_t>(own_lane() / 4)] + own_lane() % 4 * 2;
      tiles.of[m] = from[0].bits | static_cast<std::uint32_t>(from[1].bits) << 16U;
    }
    return tiles;
  });
}

inline Pairs load_transposed_tiles(const simd::BFloat* row) {
  return own_warp->meet_rows(own_lane(), row, [](const auto& rows) {
    Pairs tiles{};
    for (std::size_t m = 0; m < 4; ++m) {
      const std::size_t first = 8 * m + static_cast<std::size_t>(own_lane() % 4 * 2);
      const int column = own_lane() / 4;
      tiles.of[m] = rows[first][column].bits | static_cast<std::uint32_t>(rows[first + 1][column].bits) << 16U;
    }
    return tiles;
  });
}

}  // namespace coterie::kernels::gpu
