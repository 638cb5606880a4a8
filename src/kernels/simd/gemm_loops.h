// A small matrix product whose operands are in cache: rows of C in registers, vectors along the rows of B.
#pragma once

#include "kernels/simd/lanes.h"

namespace coterie::kernels::simd {
namespace {

/// Rows of C that are computed at once, with two vectors each: they and the operands must fit in the registers.
constexpr std::int64_t kTileRows = kBytes == 64 ? 8 : 4;
/// Rows and columns of A and C are padded to this; what the padding holds is never used.
constexpr std::int64_t kRowStep = 8;
/// Columns of one panel of B.
template <class Scalar>
constexpr std::int64_t kPanel = 2 * kLanes<Scalar>;

/// A[i][k] is data[i * row + k * depth]: a matrix or its transpose.
template <class Scalar>
struct Left {
  const Scalar* data;
  std::int64_t row;
  std::int64_t depth;
};

/// Two ways of filling C.
enum class Into { overwrite, add };

template <int Vectors, Into into, class Scalar>
[[gnu::always_inline]] inline void multiply_tile(Left<Scalar> a, std::int64_t depth, Rows<const Scalar> b,
                                                 Rows<Scalar> c) {
  Vector<Scalar> sums[kTileRows][Vectors];
#pragma GCC unroll 8
  for (int i = 0; i < kTileRows; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v)
      sums[i][v] = into == Into::add ? load(c.data + i * c.stride + v * kLanes<Scalar>) : Vector<Scalar>{};
  for (std::int64_t k = 0; k < depth; ++k) {
    Vector<Scalar> right[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) right[v] = load(b.data + k * b.stride + v * kLanes<Scalar>);
#pragma GCC unroll 8
    for (int i = 0; i < kTileRows; ++i) {
      const Vector<Scalar> left = Vector<Scalar>{} + a.data[i * a.row + k * a.depth];
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sums[i][v] += left * right[v];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kTileRows; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) store(c.data + i * c.stride + v * kLanes<Scalar>, sums[i][v]);
}

/// Columns [0, columns) of C, at most a panel: C = A B or C += A B.
///
/// @param rows     rounded up to kRowStep
/// @param columns  rounded up to the vector
template <Into into, class Scalar>
inline void multiply_panel(Left<Scalar> a, std::int64_t rows, std::int64_t depth, Rows<const Scalar> b,
                           std::int64_t columns, Rows<Scalar> c) {
  for (std::int64_t i = 0; i < rows; i += kTileRows) {
    const Left<Scalar> part = {a.data + i * a.row, a.row, a.depth};
    const Rows<Scalar> out = {c.data + i * c.stride, c.stride};
    if (columns > kLanes<Scalar>)
      multiply_tile<2, into>(part, depth, b, out);
    else
      multiply_tile<1, into>(part, depth, b, out);
  }
}

/// The same for any number of columns of a B whose rows lie one behind the other.
template <Into into, class Scalar>
inline void multiply(Left<Scalar> a, std::int64_t rows, std::int64_t depth, Rows<const Scalar> b, std::int64_t columns,
                     Rows<Scalar> c) {
  for (std::int64_t j = 0; j < columns; j += kPanel<Scalar>)
    multiply_panel<into, Scalar>(a, rows, depth, {b.data + j, b.stride}, columns - j, {c.data + j, c.stride});
}

/// The same, overwriting, for a B in panels: [columns / panel][depth][panel].
template <class Scalar>
inline void multiply_panels(Left<Scalar> a, std::int64_t rows, std::int64_t depth, const Scalar* b,
                            std::int64_t columns, Rows<Scalar> c) {
  for (std::int64_t j = 0; j < columns; j += kPanel<Scalar>)
    multiply_panel<Into::overwrite, Scalar>(a, rows, depth, {b + j * depth, kPanel<Scalar>}, columns - j,
                                            {c.data + j, c.stride});
}

}  // namespace
}  // namespace coterie::kernels::simd
