// LayerNorm of a residual sum with dropout in one pass over memory, which ends both halves of a BERT layer.
#pragma once

#include <ATen/core/Tensor.h>

#include "base/random.h"
#include "kernels/dropout.h"

namespace coterie::kernels {

/// The parameters of a LayerNorm.
struct NormParameters {
  at::Tensor weight_D;
  at::Tensor bias_D;
  double epsilon = 0.0;  ///< added to the variance
};

/// LayerNorm(residual + dropout(tokens)), with the bits of `dropout`; its backward draws them again and keeps no mask.
///
/// @param tokens_TD, residual_TD  [T, D], float, double or bf16; the parameters are never bf16
/// @param rate                    in [0, 1)
/// @return                        [T, D], same dtype
/// @throws ShapeError if the shapes differ, or a token has no place though something is dropped
/// @par Source
/// Ba et al. 2016 (arXiv:1607.06450); post-norm as in Vaswani et al. 2017 (arXiv:1706.03762), section 5.4.
[[nodiscard]] at::Tensor dropout_residual_norm(const at::Tensor& tokens_TD, const at::Tensor& residual_TD,
                                               const NormParameters& norm, double rate, RandomKey key,
                                               const TokenPlaces& places);

}  // namespace coterie::kernels
