// The kernels as C++ calls them: each starts its work on a stream and returns at once. Pointers are the GPU's.
#pragma once

#include <cstdint>

#include "kernels/gpu/row_math.h"
#include "kernels/simd/functions.h"

struct CUstream_st;

namespace coterie::kernels::gpu {

/// cudaStream_t, without CUDA's headers.
using Stream = CUstream_st*;

/// out = in with dropout, [R, D].
template <class Stored>
void drop_rows(const Stored* in, Stored* out, std::int64_t rows, std::int64_t width, const simd::RowPlaces& places,
               const simd::Drop& drop, Stream stream);

/// `row` is not used.
template <class Stored>
void norm(const simd::NormRows<Stored>& all, Stream stream);

/// The gradients of weight and bias are those of parts of `part_rows` rows each, [parts, 2, D], to be summed.
template <class Stored>
void norm_backward(const simd::NormGradientRows<Stored>& all, std::int64_t part_rows, Stream stream);

template <class Stored>
void gelu(const GeluRows<Stored>& all, Stored* out, Stream stream);

/// @param bias_gradient  [parts, F] sums of parts of `part_rows` rows each
template <class Stored>
void gelu_backward(const GeluRows<Stored>& all, const GeluGradient<Stored>& to, std::int64_t part_rows,
                   float* bias_gradient, Stream stream);

/// All heads of all sequences of a batch.
template <class Stored>
struct Attention {
  simd::Rows<const Stored> query, key, value;  ///< [T, H d]
  const std::int64_t* offsets = nullptr;       ///< [B + 1]
  const std::int64_t* sequence = nullptr;      ///< [B]
  std::int64_t sequences = 0, longest = 0;     ///< B, and the greatest length
  std::int64_t tokens = 0, heads = 0, width = 0;
  simd::Drop drop;
};

/// @param out      [T, H d]
/// @param log_sum  [H, T]
template <class Stored>
void attend(const Attention<Stored>& batch, simd::Rows<Stored> out, Compute<Stored>* log_sum, Stream stream);

/// What the backward pass reads and writes besides.
template <class Stored>
struct AttentionGradient {
  simd::Rows<const Stored> out, out_gradient;
  const Compute<Stored>* log_sum = nullptr;  ///< [H, T]
  Compute<Stored>* delta = nullptr;          ///< [H, T] scratch
  simd::Rows<Stored> query, key, value;      ///< the gradients
};

template <class Stored>
void attend_backward(const Attention<Stored>& batch, const AttentionGradient<Stored>& gradient, Stream stream);

/// Whether tensor cores can take this batch: heads of 32 or 64 columns, rows that vectors of 16 bytes may load. The
/// gradient of the output must be as aligned as the output.
[[nodiscard]] bool fits_tensor_cores(const Attention<BFloat>& batch);

/// As `attend`.
void attend_on_tensor_cores(const Attention<BFloat>& batch, simd::Rows<BFloat> out, float* log_sum, Stream stream);

/// As `attend_backward`.
void attend_backward_on_tensor_cores(const Attention<BFloat>& batch, const AttentionGradient<BFloat>& gradient,
                                     Stream stream);

}  // namespace coterie::kernels::gpu
