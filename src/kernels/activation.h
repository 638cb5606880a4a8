// The non-linearities between the two matrices of a BERT MLP.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace coterie::kernels {

/// Non-linearity of the MLP.
enum class Activation : std::uint8_t {
  gelu,       ///< x Phi(x), by erf
  gelu_tanh,  ///< its tanh approximation
};

/// Element-wise; any shape.
/// @par Source
/// Hendrycks and Gimpel 2016 (arXiv:1606.08415).
[[nodiscard]] at::Tensor activate(const at::Tensor& values, Activation activation);

/// activate(values + bias) in one pass over memory, its backward in one more, the bias's gradient included.
///
/// @param values_RF  [R, F]: rows times a matrix, without the bias
/// @param bias_F     [F]
/// @throws ShapeError if the bias does not fit
[[nodiscard]] at::Tensor bias_activate(const at::Tensor& values_RF, const at::Tensor& bias_F, Activation activation);

}  // namespace coterie::kernels
