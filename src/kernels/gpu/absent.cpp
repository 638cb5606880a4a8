// A build without CUDA: no tensor is on a GPU, so nobody comes here.
#include "base/error.h"
#include "kernels/gpu/kernels.h"

namespace coterie::kernels::gpu {
namespace {

[[noreturn]] void refuse() {
  throw ShapeError("kernels: a tensor is on a GPU, and this program was built without CUDA");
}

}  // namespace

at::Tensor dropout(const at::Tensor&, double, RandomKey, const TokenPlaces&) { refuse(); }

at::Tensor dropout_residual_norm(const at::Tensor&, const at::Tensor&, const NormParameters&, double, RandomKey,
                                 const TokenPlaces&) {
  refuse();
}

at::Tensor gelu(const at::Tensor&, const at::Tensor&) { refuse(); }

ActivationGradient gelu_backward(const at::Tensor&, const at::Tensor&, const at::Tensor&) { refuse(); }

at::Tensor attention(const at::Tensor&, std::int64_t, const std::vector<std::int64_t>&,
                     const std::vector<std::int64_t>&, const AttentionDropout&) {
  refuse();
}

}  // namespace coterie::kernels::gpu
