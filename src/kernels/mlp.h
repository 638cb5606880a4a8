// The MLP of a BERT layer, both products and what lies between them.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/activation.h"
#include "kernels/parameter_store.h"

namespace coterie::kernels {

/// The two matrices of one MLP, parameters of a ParameterStore.
struct MlpWeights {
  Operand up_weight_FD;
  Operand up_bias_F;
  Operand down_weight_DF;
  Operand down_bias_D;
};

/// act(x U^T + u) W^T + w. Backward keeps the rows and x U^T; the [R, F] input of the second product it computes again
/// in the pass that the non-linearity's gradient takes anyway.
///
/// @param rows_RD  [R, D], in the dtype of products; R may be 0
/// @return         [R, D], same dtype
/// @throws ShapeError if dtypes or shapes do not fit
[[nodiscard]] at::Tensor mlp(const at::Tensor& rows_RD, const MlpWeights& weights, Activation activation);

}  // namespace coterie::kernels
