// Multi-head attention over packed sequences: each sequence attends to itself only, and there is no padding.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "base/random.h"

namespace coterie::kernels {

/// How attention drops probabilities; a rate of 0 takes the fused kernel.
struct AttentionDropout {
  double rate = 0.0;
  RandomKey key;
};

/// softmax(Q K^T / sqrt(d)) V for each sequence and head.
///
/// @param query_TD, key_TD, value_TD  [T, D], D = heads * d
/// @param offsets                     [B + 1], ascending from 0 to T; sequences may be empty
/// @param sequence_index              [B] index of each sequence in the global batch, for the dropout bits
/// @return                            [T, D], same dtype
/// @throws ShapeError if the offsets do not fit the tokens, or the indices the offsets
/// @par Source
/// Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.
[[nodiscard]] at::Tensor attention(const at::Tensor& query_TD, const at::Tensor& key_TD, const at::Tensor& value_TD,
                                   std::int64_t heads, const std::vector<std::int64_t>& offsets,
                                   const std::vector<std::int64_t>& sequence_index, const AttentionDropout& dropout);

}  // namespace coterie::kernels
