// The inner loops that exist once for each instruction set, and the choice among them at run time.
//
// A set of loops is one translation unit compiled for its instructions (base.cpp, avx2.cpp, avx512.cpp,
// avx512_bf16.cpp, amx_bf16.cpp); everything else runs on any x86-64. No header of the standard library with inline
// code is seen there: the linker could keep a copy that an older processor cannot run.
#pragma once

#include <cstdint>

namespace coterie::kernels::simd {

/// A number in bf16: the upper half of a float.
struct BFloat {
  std::uint16_t bits;
};

/// What numbers stored as `Stored` are computed in.
template <class Stored>
struct ComputeOf {
  using Type = Stored;
};
template <>
struct ComputeOf<BFloat> {
  using Type = float;
};
template <class Stored>
using Compute = typename ComputeOf<Stored>::Type;

/// A matrix whose rows may lie apart; within a row elements are neighbours.
template <class Element>
struct Rows {
  Element* data = nullptr;
  std::int64_t stride = 0;  ///< elements from one row to the next
};

/// Elements of a vector in any set, at most.
inline constexpr std::int64_t kWidestVector = 16;

/// What is dropped: an element whose 32 random bits are below `limit`; the others are multiplied by `kept`.
struct Drop {
  std::uint64_t key = 0;
  std::uint32_t limit = 0;  ///< 0: nothing is dropped, and no bits are drawn
  double kept = 1.0;
};

/// One head of one sequence: N rows of d columns each.
template <class Stored>
struct Head {
  Rows<const Stored> query, key, value;
  std::int64_t length = 0;     ///< N
  std::int64_t width = 0;      ///< d
  std::uint32_t sequence = 0;  ///< coordinates of the dropout bits
  std::uint32_t head = 0;
  Drop drop;
};

/// What the forward pass of a head writes.
template <class Stored>
struct HeadOutput {
  Rows<Stored> out;
  Compute<Stored>* log_sum = nullptr;  ///< [N] logarithm of the softmax's denominator
};

/// What the backward pass of a head reads and writes.
template <class Stored>
struct HeadGradient {
  Rows<const Stored> out, out_gradient;
  const Compute<Stored>* log_sum = nullptr;
  Rows<Stored> query, key, value;  ///< the gradients
};

/// Where rows of width D stand, for their dropout bits.
struct RowPlaces {
  const std::int64_t* sequence = nullptr;
  const std::int64_t* token = nullptr;
};

/// LayerNorm(residual + dropout(tokens)) of R rows.
template <class Stored>
struct NormRows {
  const Stored *tokens = nullptr, *residual = nullptr;
  const Compute<Stored>*weight = nullptr, *bias = nullptr;
  std::int64_t rows = 0, width = 0;
  double epsilon = 0.0;
  RowPlaces places;
  Drop drop;
  Stored* out = nullptr;
  Stored* normal = nullptr;            ///< [R, D] the normalised sum, before weight and bias
  Compute<Stored>* inverse = nullptr;  ///< [R] 1 / sqrt(variance + epsilon)
  Compute<Stored>* row = nullptr;      ///< [D] scratch, with room for a vector more
};

/// Its backward; the gradients of weight and bias are added to.
template <class Stored>
struct NormGradientRows {
  const Stored *gradient = nullptr, *normal = nullptr;
  const Compute<Stored>*inverse = nullptr, *weight = nullptr;
  std::int64_t rows = 0, width = 0;
  RowPlaces places;
  Drop drop;
  Stored *tokens = nullptr, *residual = nullptr;  ///< [R, D] gradients; `tokens` may be null where nothing is dropped
  Compute<Stored>*weight_gradient = nullptr, *bias_gradient = nullptr;  ///< [D]
};

/// Attention of one head.
template <class Stored>
struct AttentionFunctions {
  /// Elements of scratch memory that the other two need; more for a longer sequence.
  std::int64_t (*scratch_size)(std::int64_t length, std::int64_t width);
  void (*forward)(const Head<Stored>&, const HeadOutput<Stored>&, Compute<Stored>* scratch);
  void (*backward)(const Head<Stored>&, const HeadGradient<Stored>&, Compute<Stored>* scratch);
};

/// The loops of one instruction set over numbers of one kind; they compute in `Compute<Stored>`.
template <class Stored>
struct Functions {
  AttentionFunctions<Stored> attention;
  /// out = in with dropout, [rows, width].
  void (*drop_rows)(const Stored* in, Stored* out, std::int64_t rows, std::int64_t width, RowPlaces, Drop);
  void (*norm)(const NormRows<Stored>&);
  void (*norm_backward)(const NormGradientRows<Stored>&);
};

/// The backward of GELU(values + bias) for R rows of F columns, which also computes its value again.
template <class Stored>
struct GeluGradientRows {
  const Stored *gradient = nullptr, *values = nullptr;
  const float* bias = nullptr;
  std::int64_t rows = 0, width = 0;
  Stored* values_gradient = nullptr;
  Stored* out = nullptr;           ///< the value, as `forward` wrote it
  float* bias_gradient = nullptr;  ///< [F] the columns' sums of `values_gradient` are added
};

/// erf GELU of values + bias, computed in float.
template <class Stored>
struct GeluFunctions {
  void (*forward)(const Stored* values, const float* bias, std::int64_t rows, std::int64_t width, Stored* out);
  void (*backward)(const GeluGradientRows<Stored>&);
};

/// All loops of one instruction set.
struct FunctionSet {
  const char* name;
  Functions<float> single;
  Functions<double> twice;
  Functions<BFloat> half;
  GeluFunctions<float> gelu;
  GeluFunctions<BFloat> half_gelu;
};

extern const FunctionSet kBase;    ///< SSE2, which every x86-64 has
extern const FunctionSet kAvx2;    ///< AVX2 with FMA
extern const FunctionSet kAvx512;  ///< AVX-512 F, BW, DQ and VL
/// AVX512-BF16: attention whose products take bf16 numbers as they are.
extern const AttentionFunctions<BFloat> kBf16Attention;
/// AMX besides: the same products on tiles, where the width of a head is a multiple of 32.
extern const AttentionFunctions<BFloat> kAmxAttention;

/// kAvx512 with kBf16Attention.
[[nodiscard]] const FunctionSet& avx512_bf16();
/// kAvx512 with kAmxAttention.
[[nodiscard]] const FunctionSet& amx_bf16();

/// Whether this processor runs it; for AMX, asks the system to let this process use its tiles.
[[nodiscard]] bool runs(const FunctionSet& set);
/// The widest set this processor runs, or the narrower one that COTERIE_INSTRUCTIONS names: bits differ between sets.
/// @throws ConfigError if it names none that runs here
[[nodiscard]] const FunctionSet& function_set();
/// Whether that set has instructions that multiply bf16 numbers.
[[nodiscard]] bool multiplies_halves();

}  // namespace coterie::kernels::simd
