// The small matrix product of bf16 numbers in pairs: two neighbours along the depth lie in one 32-bit word, and one
// instruction adds the products of both to an fp32 sum.
#pragma once

#include "kernels/simd/gemm_loops.h"
#include "kernels/simd/lanes.h"

namespace coterie::kernels::simd {
namespace {

/// Two bf16 numbers, the one with the smaller index along the depth in the low half.
using Pair = std::uint32_t;
/// Pairs, or floats, of a vector.
constexpr std::int64_t kPairs = 16;
/// Columns of one panel of B.
constexpr std::int64_t kPairPanel = 2 * kPairs;

template <int Vectors, Into into>
[[gnu::always_inline]] inline void multiply_pairs_tile(Left<Pair> a, std::int64_t depth, Rows<const Pair> b,
                                                       Rows<float> c) {
  __m512 sums[kTileRows][Vectors];
#pragma GCC unroll 8
  for (int i = 0; i < kTileRows; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v)
      sums[i][v] = into == Into::add ? _mm512_loadu_ps(c.data + i * c.stride + v * kPairs) : _mm512_setzero_ps();
  for (std::int64_t k = 0; k < depth; ++k) {
    __m512bh right[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) right[v] = (__m512bh)_mm512_loadu_si512(b.data + k * b.stride + v * kPairs);
#pragma GCC unroll 8
    for (int i = 0; i < kTileRows; ++i) {
      const auto left = (__m512bh)_mm512_set1_epi32(static_cast<int>(a.data[i * a.row + k * a.depth]));
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sums[i][v] = _mm512_dpbf16_ps(sums[i][v], right[v], left);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kTileRows; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) _mm512_storeu_ps(c.data + i * c.stride + v * kPairs, sums[i][v]);
}

/// Products of panels by the instruction for pairs. Any class in its place has these members.
struct VectorPanels {
  /// Rows of A and C are padded to this; what the padding holds is never used.
  static constexpr std::int64_t kRows = kRowStep;

  /// Of a head with so many keys.
  explicit VectorPanels(std::int64_t /*keys*/) {}

  /// Columns [0, columns) of C, at most a panel: C = A B or C += A B.
  ///
  /// @param rows     rounded up to kRows
  /// @param depth    in pairs
  /// @param columns  rounded up to the vector
  template <Into into>
  void multiply(Left<Pair> a, std::int64_t rows, std::int64_t depth, Rows<const Pair> b, std::int64_t columns,
                Rows<float> c) const {
    for (std::int64_t i = 0; i < rows; i += kTileRows) {
      const Left<Pair> part = {a.data + i * a.row, a.row, a.depth};
      const Rows<float> out = {c.data + i * c.stride, c.stride};
      if (columns > kPairs)
        multiply_pairs_tile<2, into>(part, depth, b, out);
      else
        multiply_pairs_tile<1, into>(part, depth, b, out);
    }
  }
};

/// The same for any number of columns of a B whose rows lie one behind the other.
template <Into into, class Panels>
inline void multiply_pairs(const Panels& panels, Left<Pair> a, std::int64_t rows, std::int64_t depth,
                           Rows<const Pair> b, std::int64_t columns, Rows<float> c) {
  for (std::int64_t j = 0; j < columns; j += kPairPanel)
    panels.template multiply<into>(a, rows, depth, {b.data + j, b.stride}, columns - j, {c.data + j, c.stride});
}

/// The same, overwriting, for a B in panels: [columns / panel][depth][panel].
template <class Panels>
inline void multiply_pair_panels(const Panels& panels, Left<Pair> a, std::int64_t rows, std::int64_t depth,
                                 const Pair* b, std::int64_t columns, Rows<float> c) {
  for (std::int64_t j = 0; j < columns; j += kPairPanel)
    panels.template multiply<Into::overwrite>(a, rows, depth, {b + j * depth, kPairPanel}, columns - j,
                                              {c.data + j, c.stride});
}

/// 16 floats as bf16, rounded to the nearest, one in each 32-bit lane's low half.
[[gnu::always_inline]] inline __m512i rounded(__m512 values) {
  return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(values));
}

/// The pairs of two rows.
[[gnu::always_inline]] inline __m512i paired(__m512i low, __m512i high) {
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/// Mask of the first `count` of 16 lanes.
[[gnu::always_inline]] inline __mmask16 first_lanes(std::int64_t count) {
  return count >= kPairs ? static_cast<__mmask16>(0xFFFF) : static_cast<__mmask16>((1U << count) - 1U);
}

/// The numbers of a row in pairs, and 0 behind an odd last one.
inline void pair_row(const BFloat* from, std::int64_t width, Pair* to) {
  if (width % 2 != 0) to[width / 2] = 0;
  __builtin_memcpy(to, from, static_cast<std::size_t>(width) * sizeof(BFloat));
}

/// Pairs along the rows of a matrix, transposed into panels: [padded / panel][pairs of a row][panel], zeros behind the
/// last row.
inline void transpose_pairs(Rows<const BFloat> from, std::int64_t rows, std::int64_t padded, std::int64_t width,
                            Pair* to) {
  for (std::int64_t first = 0; first < padded; first += kPairPanel) {
    const std::int64_t left = rows > first ? rows - first : 0;
    const std::int64_t here = left < kPairPanel ? left : kPairPanel;
    for (std::int64_t c = 0; c < width; c += 2, to += kPairPanel) {
      const BFloat* source = from.data + first * from.stride + c;
      for (std::int64_t j = 0; j < here; ++j, source += from.stride)
        to[j] = source[0].bits | (c + 1 < width ? static_cast<Pair>(source[1].bits) << 16 : 0);
      for (std::int64_t j = here; j < kPairPanel; ++j) to[j] = 0;
    }
  }
}

/// Pairs of each two neighbouring rows: [rows / 2, rounded up][to.stride], zeros where there is no row or column.
inline void pair_rows(Rows<const BFloat> from, std::int64_t rows, std::int64_t width, Rows<Pair> to) {
  for (std::int64_t i = 0; i < rows; i += 2)
    for (std::int64_t c = 0; c < to.stride; c += kPairs) {
      const __mmask16 inside = first_lanes(width - c);
      const BFloat* const source = from.data + i * from.stride + c;
      const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(inside, source));
      const __m512i high = i + 1 < rows ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(inside, source + from.stride))
                                        : _mm512_setzero_si512();
      _mm512_storeu_si512(to.data + i / 2 * to.stride + c, paired(low, high));
    }
}

}  // namespace
}  // namespace coterie::kernels::simd
