#include "kernels/activation.h"

#include <ATen/Functions.h>

namespace coterie::kernels {

at::Tensor activate(const at::Tensor& values, Activation activation) {
  return at::gelu(values, activation == Activation::gelu ? "none" : "tanh");
}

}  // namespace coterie::kernels
