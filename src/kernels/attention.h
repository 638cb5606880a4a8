// Multi-head attention over packed sequences: each sequence attends to itself only, and there is no padding.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "base/random.h"

namespace coterie::kernels {

/// Sequences are shorter than this: query position and head share one word of a dropout bit's place.
constexpr std::int64_t kLongestSequence = 1 << 16;

/// How attention drops probabilities.
struct AttentionDropout {
  double rate = 0.0;
  RandomKey key;
};

/// softmax(Q K^T / sqrt(d)) V for each sequence and head, with the bits of `attention_dropout_factors`.
///
/// Neither the scores nor the bits are kept: the backward pass makes both again, block by block. It is written by hand
/// and cannot itself be differentiated.
///
/// @param projections_T3D  [T, 3 D], D = heads * d: in each row query, key and value, as one product makes them
/// @param offsets          [B + 1], ascending from 0 to T; sequences may be empty
/// @param sequence_index   [B] index of each sequence in the global batch, for the dropout bits
/// @return                 [T, D], same dtype
/// @throws ShapeError if the columns are no three times `heads`, the offsets do not fit the tokens, or the indices the
///   offsets
/// @par Source
/// Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.
[[nodiscard]] at::Tensor attention(const at::Tensor& projections_T3D, std::int64_t heads,
                                   const std::vector<std::int64_t>& offsets,
                                   const std::vector<std::int64_t>& sequence_index, const AttentionDropout& dropout);

}  // namespace coterie::kernels
