// The kernels of src/kernels/gpu, done by those of the CPU.
#include "kernels/gpu/kernels.h"

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "tests/emulated_gpus/tensors.h"

namespace coterie::kernels::gpu {
namespace {

using emulated::seen_by_gpu;
using emulated::seen_by_host;

/// The other side's view, in the graph.
struct Host : torch::autograd::Function<Host> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& on_gpu) {
    context->saved_data["gpu"] = on_gpu.device();
    return seen_by_host(on_gpu);
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list gradients) {
    return {seen_by_gpu(gradients[0].contiguous(), context->saved_data["gpu"].toDevice())};
  }
};

struct OnGpu : torch::autograd::Function<OnGpu> {
  static at::Tensor forward(torch::autograd::AutogradContext*, const at::Tensor& on_host, const at::Device& gpu) {
    return seen_by_gpu(on_host, gpu);
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext*,
                                               torch::autograd::tensor_list gradients) {
    return {seen_by_host(gradients[0]), {}};
  }
};

at::Tensor host(const at::Tensor& on_gpu) { return Host::apply(on_gpu); }

at::Tensor back(const at::Tensor& on_host, const at::Tensor& like) { return OnGpu::apply(on_host, like.device()); }

void expect_places_on_gpu(const TokenPlaces& places, const at::Tensor& tokens) {
  COTERIE_CHECK(ShapeError, places.on_gpu_2T.defined() && places.on_gpu_2T.device() == tokens.device(),
                "the places of the tokens must be on ", tokens.device());
}

}  // namespace

at::Tensor dropout(const at::Tensor& tokens_TD, double rate, RandomKey key, const TokenPlaces& places) {
  expect_places_on_gpu(places, tokens_TD);
  return back(kernels::dropout(host(tokens_TD), rate, key, places), tokens_TD);
}

at::Tensor dropout_residual_norm(const at::Tensor& tokens_TD, const at::Tensor& residual_TD, const NormParameters& norm,
                                 double rate, RandomKey key, const TokenPlaces& places) {
  if (rate > 0) expect_places_on_gpu(places, tokens_TD);
  const NormParameters on_host{host(norm.weight_D), host(norm.bias_D), norm.epsilon};
  return back(kernels::dropout_residual_norm(host(tokens_TD), host(residual_TD), on_host, rate, key, places),
              tokens_TD);
}

at::Tensor gelu(const at::Tensor& values_RF, const at::Tensor& bias_F) {
  return seen_by_gpu(activate(seen_by_host(values_RF), seen_by_host(bias_F), Activation::gelu), values_RF.device());
}

ActivationGradient gelu_backward(const at::Tensor& gradient_RF, const at::Tensor& values_RF, const at::Tensor& bias_F) {
  const ActivationGradient gradient =
      activate_backward(seen_by_host(gradient_RF), seen_by_host(values_RF), seen_by_host(bias_F), Activation::gelu);
  const at::Device gpu = values_RF.device();
  return {seen_by_gpu(gradient.values_RF, gpu), seen_by_gpu(gradient.bias_F, gpu), seen_by_gpu(gradient.out_RF, gpu)};
}

at::Tensor attention(const at::Tensor& projections_T3D, std::int64_t heads, const std::vector<std::int64_t>& offsets,
                     const std::vector<std::int64_t>& sequence_index, const AttentionDropout& dropout) {
  return back(kernels::attention(host(projections_T3D), heads, offsets, sequence_index, dropout), projections_T3D);
}

}  // namespace coterie::kernels::gpu
