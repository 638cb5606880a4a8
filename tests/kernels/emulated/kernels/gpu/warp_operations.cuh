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
#include "kernels/gpu/tiles.h"

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

  /// Shows `mine`, and calls use(what each lane showed), all of one type.
  template <class Shown, class Use>
  auto meet(int lane, const Shown& mine, const Use& use) {
    shown_[static_cast<std::size_t>(lane)] = &mine;
    barrier_.arrive_and_wait();
    const auto result =
        use([&](int of) -> const Shown& { return *static_cast<const Shown*>(shown_[static_cast<std::size_t>(of)]); });
    barrier_.arrive_and_wait();
    return result;
  }

 private:
  std::barrier<> barrier_{kLanes};
  std::array<const void*, kLanes> shown_{};
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
  return own_warp->meet(own_lane(), value, [&](const auto& shown) { return shown(own_lane() ^ mask); });
}

inline std::uint32_t pair_of(float first, float second) {
  simd::BFloat both[2];
  store(both, first);
  store(both + 1, second);
  return both[0].bits | static_cast<std::uint32_t>(both[1].bits) << 16U;
}

inline void multiply_tiles(Sums& sum, const Pairs& left, std::uint32_t upper, std::uint32_t lower) {
  struct Factors {
    Pairs left;
    std::uint32_t right[2];
  };
  sum = own_warp->meet(own_lane(), Factors{left, {upper, lower}}, [&](const auto& shown) {
    const auto half = [](std::uint32_t pair, int which) {
      return std::bit_cast<float>(which == 0 ? pair << 16U : pair & 0xFFFF0000U);
    };
    const auto left_at = [&](int row, int k) {
      return half(shown(row % 8 * 4 + k % 8 / 2).left.of[row / 8 + k / 8 * 2], k % 2);
    };
    const auto right_at = [&](int k, int column) { return half(shown(column * 4 + k % 8 / 2).right[k / 8], k % 2); };
    Sums result = sum;
    for (int i = 0; i < 4; ++i)
      for (int k = 0; k < 16; ++k)
        result.of[i] += left_at(own_lane() / 4 + i / 2 * 8, k) * right_at(k, own_lane() % 4 * 2 + i % 2);
    return result;
  });
}

inline Pairs load_tiles(const simd::BFloat* row) {
  return own_warp->meet(own_lane(), row, [](const auto& rows) {
    Pairs tiles{};
    for (int m = 0; m < 4; ++m) {
      const simd::BFloat* const from = rows(8 * m + own_lane() / 4) + own_lane() % 4 * 2;
      tiles.of[m] = from[0].bits | static_cast<std::uint32_t>(from[1].bits) << 16U;
    }
    return tiles;
  });
}

inline Pairs load_transposed_tiles(const simd::BFloat* row) {
  return own_warp->meet(own_lane(), row, [](const auto& rows) {
    Pairs tiles{};
    for (int m = 0; m < 4; ++m) {
      const int first = 8 * m + own_lane() % 4 * 2;
      const int column = own_lane() / 4;
      tiles.of[m] = rows(first)[column].bits | static_cast<std::uint32_t>(rows(first + 1)[column].bits) << 16U;
    }
    return tiles;
  });
}

}  // namespace coterie::kernels::gpu
