// The inner loops that exist once for each instruction set, and the choice among them at run time.
//
// A set of loops is one translation unit compiled for its instructions (base.cpp, avx2.cpp, avx512.cpp); everything
// else runs on any x86-64. No header of the standard library with inline code is seen there: the linker could keep
// a copy that an older processor cannot run.
#pragma once

#include <cstdint>

namespace coterie::kernels::simd {

/// A matrix whose rows may lie apart; within a row elements are neighbours.
template <class Element>
struct Rows {
  Element* data = nullptr;
  std::int64_t stride = 0;  ///< elements from one row to the next
};

/// What is dropped: an element whose 32 random bits are below `limit`; the others are multiplied by `kept`.
struct Drop {
  std::uint64_t key = 0;
  std::uint32_t limit = 0;  ///< 0: nothing is dropped, and no bits are drawn
  double kept = 1.0;
};

/// One head of one sequence: N rows of d columns each.
template <class Scalar>
struct Head {
  Rows<const Scalar> query, key, value;
  std::int64_t length = 0;     ///< N
  std::int64_t width = 0;      ///< d
  std::uint32_t sequence = 0;  ///< coordinates of the dropout bits
  std::uint32_t head = 0;
  Drop drop;
};

/// What the forward pass of a head writes.
template <class Scalar>
struct HeadOutput {
  Rows<Scalar> out;
  Scalar* log_sum = nullptr;  ///< [N] logarithm of the softmax's denominator
};

/// What the backward pass of a head reads and writes.
template <class Scalar>
struct HeadGradient {
  Rows<const Scalar> out, out_gradient;
  const Scalar* log_sum = nullptr;
  Rows<Scalar> query, key, value;  ///< the gradients
};

/// Where rows of width D stand, for their dropout bits.
struct RowPlaces {
  const std::int64_t* sequence = nullptr;
  const std::int64_t* token = nullptr;
};

/// LayerNorm(residual + dropout(tokens)) of R rows.
template <class Scalar>
struct NormRows {
  const Scalar *tokens = nullptr, *residual = nullptr, *weight = nullptr, *bias = nullptr;
  std::int64_t rows = 0, width = 0;
  double epsilon = 0.0;
  RowPlaces places;
  Drop drop;
  Scalar* out = nullptr;
  Scalar* normal = nullptr;   ///< [R, D] the normalised sum, before weight and bias
  Scalar* inverse = nullptr;  ///< [R] 1 / sqrt(variance + epsilon)
};

/// Its backward; the gradients of weight and bias are added to.
template <class Scalar>
struct NormGradientRows {
  const Scalar *gradient = nullptr, *normal = nullptr, *inverse = nullptr, *weight = nullptr;
  std::int64_t rows = 0, width = 0;
  RowPlaces places;
  Drop drop;
  Scalar *tokens = nullptr, *residual = nullptr;  ///< [R, D] gradients; `tokens` may be null where nothing is dropped
  Scalar *weight_gradient = nullptr, *bias_gradient = nullptr;  ///< [D]
};

/// The loops of one instruction set.
template <class Scalar>
struct Functions {
  /// Elements of scratch memory that `attend` and `attend_backward` need.
  std::int64_t (*scratch_size)(std::int64_t length, std::int64_t width);
  void (*attend)(const Head<Scalar>&, const HeadOutput<Scalar>&, Scalar* scratch);
  void (*attend_backward)(const Head<Scalar>&, const HeadGradient<Scalar>&, Scalar* scratch);
  /// out = in with dropout, [rows, width].
  void (*drop_rows)(const Scalar* in, Scalar* out, std::int64_t rows, std::int64_t width, RowPlaces, Drop);
  void (*norm)(const NormRows<Scalar>&);
  void (*norm_backward)(const NormGradientRows<Scalar>&);
};

/// erf GELU of values + bias, in float only.
struct GeluFunctions {
  /// `bias` may be null.
  void (*forward)(const float* values, const float* bias, std::int64_t rows, std::int64_t width, float* out);
  /// Adds the columns' sums of `values_gradient` to `bias_gradient`, where that is not null.
  void (*backward)(const float* gradient, const float* values, const float* bias, std::int64_t rows, std::int64_t width,
                   float* values_gradient, float* bias_gradient);
};

/// All loops of one instruction set.
struct FunctionSet {
  const char* name;
  Functions<float> single;
  Functions<double> twice;
  GeluFunctions gelu;
};

extern const FunctionSet kBase;    ///< SSE2, which every x86-64 has
extern const FunctionSet kAvx2;    ///< AVX2 with FMA
extern const FunctionSet kAvx512;  ///< AVX-512 F, BW, DQ and VL

/// The widest set this processor runs.
[[nodiscard]] const FunctionSet& function_set();

/// Its part for one scalar type.
template <class Scalar>
[[nodiscard]] const Functions<Scalar>& functions();

}  // namespace coterie::kernels::simd
