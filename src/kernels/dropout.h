// Dropout whose every bit is a function of where it falls, so that any layout of the batch over ranks draws the same.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "kernels/simd/functions.h"

namespace coterie::kernels {

/// Where the packed tokens of a batch stand: the coordinates of their dropout bits.
struct TokenPlaces {
  std::vector<std::int64_t> sequence;  ///< [T] index of the token's sequence among all of the global batch
  std::vector<std::int64_t> token;     ///< [T] position within the sequence
  at::Tensor on_gpu_2T;                ///< both again, once they are put on a GPU

  /// Makes them known where the tokens are, once for all layers.
  void put_on(const at::Device& device);
};

/// @throws ShapeError unless there are as many places as tokens
void check_places(const TokenPlaces& places, std::int64_t tokens);

/// A rate as what the inner loops compare bits with.
[[nodiscard]] simd::Drop drop_of(double rate, RandomKey key);

/// Zeroes elements with probability `rate` and divides the others by 1 - rate.
///
/// The bit of an element is Philox(key; sequence, token, channel); backward draws it again, no mask is kept.
///
/// @param tokens_TD  [T, D], float, double or bf16
/// @param rate       in [0, 1); 0 returns the input
/// @return           [T, D], same dtype
/// @throws ShapeError unless each token has a place
[[nodiscard]] at::Tensor dropout(const at::Tensor& tokens_TD, double rate, RandomKey key, const TokenPlaces& places);

/// Factors 0 or 1 / (1 - rate) for the attention probabilities of one sequence.
///
/// The bit of an element is Philox(key; sequence, head, query, key position). `attention` draws the same bits in its
/// blocks; this is the definition it is held against.
///
/// @return  [H, N, N] in `dtype`
[[nodiscard]] at::Tensor attention_dropout_factors(std::int64_t heads, std::int64_t length, double rate, RandomKey key,
                                                   std::int64_t sequence, at::ScalarType dtype);

}  // namespace coterie::kernels
