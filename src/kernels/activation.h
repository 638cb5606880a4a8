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

/// The non-linearity of values + bias in one pass over memory. Outside any graph.
///
/// @param values_RF  [R, F], float, double or bf16: rows times a matrix, without the bias
/// @param bias_F     [F], never bf16
/// @return           [R, F], same dtype as the values
/// @throws ShapeError if the bias does not fit
/// @par Source
/// Hendrycks and Gimpel 2016 (arXiv:1606.08415).
[[nodiscard]] at::Tensor activate(const at::Tensor& values_RF, const at::Tensor& bias_F, Activation activation);

/// What one pass backwards through `activate` gives.
struct ActivationGradient {
  at::Tensor values_RF;  ///< the gradient of the values
  at::Tensor bias_F;     ///< that of the bias
  at::Tensor out_RF;     ///< what `activate` returned, computed again: who needs it in backward does not keep it
};

/// @param gradient_RF  [R, F], of what `activate` returned for the other arguments
[[nodiscard]] ActivationGradient activate_backward(const at::Tensor& gradient_RF, const at::Tensor& values_RF,
                                                   const at::Tensor& bias_F, Activation activation);

/// `activate` as a part of the graph.
[[nodiscard]] at::Tensor bias_activate(const at::Tensor& values_RF, const at::Tensor& bias_F, Activation activation);

}  // namespace coterie::kernels
