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

}  // namespace coterie::kernels
