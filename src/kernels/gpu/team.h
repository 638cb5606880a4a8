// What the kernels of a GPU share with the tests on a CPU: a team of lanes, loads and stores, and dropout's bits.
//
// A kernel's arithmetic is a constexpr template over its team, which nvcc compiles for the GPU with a team of 32 lanes,
// and the tests for the CPU with a team of one: what a lane computes is checked where no GPU is.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "base/random.h"
#include "kernels/simd/functions.h"

namespace coterie::kernels::gpu {

using simd::BFloat;
using simd::Compute;

/// A team of one lane.
struct Alone {
  static constexpr int kLanes = 1;
  [[nodiscard]] constexpr int lane() const { return 0; }
  /// The sum over the lanes, on each.
  template <class Value>
  [[nodiscard]] constexpr Value sum(Value value) const {
    return value;
  }
  template <class Value>
  [[nodiscard]] constexpr Value max(Value value) const {
    return value;
  }
  /// The value of one lane, on each.
  template <class Value>
  [[nodiscard]] constexpr Value from(Value value, int /*lane*/) const {
    return value;
  }
};

[[nodiscard]] constexpr float load(const float* from) { return *from; }
[[nodiscard]] constexpr double load(const double* from) { return *from; }
[[nodiscard]] constexpr float load(const BFloat* from) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(from->bits) << 16U);
}

constexpr void store(float* to, float value) { *to = value; }
constexpr void store(double* to, double value) { *to = value; }
/// Rounds to the nearest, ties to even; a NaN stays one.
constexpr void store(BFloat* to, float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
  to->bits = static_cast<std::uint16_t>(value != value ? 0x7FC0U : rounded);
}

/// Four neighbouring numbers of a row; behind its end, zeros.
template <class Scalar>
using Four = std::array<Scalar, 4>;

/// Four numbers that are loaded and stored at once.
template <class Stored>
struct alignas(4 * sizeof(Stored)) Aligned {
  Stored numbers[4];
};

/// Eight bytes of numbers of any type.
using Word [[gnu::may_alias]] = std::uint64_t;

template <class Stored>
[[nodiscard]] constexpr bool is_aligned(const Stored* numbers) {
  return reinterpret_cast<std::uintptr_t>(numbers) % sizeof(Aligned<Stored>) == 0;
}

/// @param count  1 to 4
template <class Stored>
[[nodiscard]] constexpr Four<Compute<Stored>> load_four(const Stored* from, std::int64_t count) {
  Four<Compute<Stored>> values{};
  if (count == 4 && is_aligned(from)) {
    const Aligned<Stored> all = *reinterpret_cast<const Aligned<Stored>*>(from);
    for (std::size_t i = 0; i < 4; ++i) values[i] = load(all.numbers + i);
  } else {
    for (std::size_t i = 0; i < 4; ++i)
      if (static_cast<std::int64_t>(i) < count) values[i] = load(from + i);
  }
  return values;
}

template <class Stored>
constexpr void store_four(Stored* to, const Four<Compute<Stored>>& values, std::int64_t count) {
  if (count == 4 && is_aligned(to)) {
    Aligned<Stored> all{};
    for (std::size_t i = 0; i < 4; ++i) store(all.numbers + i, values[i]);
    // As one word where there is one: nvcc would store some of these structures number by number.
    if constexpr (sizeof(all) == sizeof(Word))
      *reinterpret_cast<Word*>(to) = std::bit_cast<Word>(all);
    else
      *reinterpret_cast<Aligned<Stored>*>(to) = all;
  } else {
    for (std::size_t i = 0; i < 4; ++i)
      if (static_cast<std::int64_t>(i) < count) store(to + i, values[i]);
  }
}

/// The factors of four neighbouring elements: 0, or 1 / (1 - rate).
///
/// @param place  the words of the counter besides the group of four: those of `fill_row` in kernels/dropout.cpp
template <class Scalar>
[[nodiscard]] constexpr Four<Scalar> factors_of(const simd::Drop& drop, std::array<std::uint32_t, 3> place,
                                                std::int64_t group) {
  const auto kept = static_cast<Scalar>(drop.kept);
  if (drop.limit == 0) return {kept, kept, kept, kept};
  const auto words = philox(RandomKey{drop.key}, {place[0], place[1], static_cast<std::uint32_t>(group), place[2]});
  Four<Scalar> factors{};
  for (std::size_t i = 0; i < 4; ++i) factors[i] = words[i] < drop.limit ? Scalar{0} : kept;
  return factors;
}

/// Calls use(first, count) for each group of up to four neighbouring elements that is this lane's.
template <class Team, class Use>
constexpr void for_groups(const Team& team, std::int64_t width, const Use& use) {
  for (std::int64_t first = 4 * team.lane(); first < width; first += 4 * Team::kLanes)
    use(first, width - first < 4 ? width - first : std::int64_t{4});
}

}  // namespace coterie::kernels::gpu
