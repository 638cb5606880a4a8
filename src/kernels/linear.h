// Matrix products of tokens and weights, in the dtype of the tokens.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/parameter_store.h"

namespace coterie::kernels {

/// x W^T. Products run in the dtype of `rows`, forward and backward; the weight's gradient, a product too, reaches the
/// master in the master's dtype, the bias's is summed in it.
///
/// @param rows_RI    [R, I], in the dtype of `weight.value`; R may be 0
/// @param weight_OI  [O, I]
/// @return           [R, O], same dtype as the rows
/// @throws ShapeError if the dtypes differ
[[nodiscard]] at::Tensor product(const at::Tensor& rows_RI, const Operand& weight_OI);

/// x W^T + b.
///
/// @param bias_O  [O]
[[nodiscard]] at::Tensor linear(const at::Tensor& rows_RI, const Operand& weight_OI, const Operand& bias_O);

}  // namespace coterie::kernels
