// From packed token vectors to one vector for each sequence.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace coterie::kernels {

/// How a sequence's token vectors become its embedding.
enum class Pooling : std::uint8_t {
  mean,  ///< the mean of all its tokens, [CLS] and [SEP] included
  cls,   ///< its first token
  max,   ///< the greatest value of each channel
};

/// One vector for each sequence.
///
/// @param tokens_TD  [T, D]
/// @param offsets    [B + 1], strictly ascending from 0 to T: no sequence is empty
/// @return           [B, D], same dtype
/// @throws ShapeError if a sequence is empty, or the offsets do not fit the tokens
[[nodiscard]] at::Tensor pool(const at::Tensor& tokens_TD, const std::vector<std::int64_t>& offsets, Pooling pooling);

/// Rows divided by max(L2 norm, 1e-12).
[[nodiscard]] at::Tensor normalize_rows(const at::Tensor& rows_BD);

}  // namespace coterie::kernels
