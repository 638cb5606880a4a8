// Bias and GELU in one pass.
#include "kernels/activation.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "base/error.h"
#include "kernels/gpu/kernels.h"
#include "kernels/stored.h"

namespace coterie::kernels {
namespace {

/// Rows whose bias gradients are summed by one thread: fixed, so that the sum does not depend on the threads.
constexpr std::int64_t kSumRows = 128;

/// Calls use(Stored{}, loops) for float or bf16.
template <class Use>
void with_gelu(const at::Tensor& values_RF, const Use& use) {
  if (values_RF.scalar_type() == at::kFloat)
    use(float{}, simd::function_set().gelu);
  else
    use(simd::BFloat{}, simd::function_set().half_gelu);
}

/// Whether the own loops compute it; what they lack runs in ATen.
bool is_fused(const at::Tensor& bias_F, Activation activation) {
  return activation == Activation::gelu && bias_F.scalar_type() == at::kFloat;
}

const char* approximation(Activation activation) { return activation == Activation::gelu ? "none" : "tanh"; }

void check(const at::Tensor& values_RF, const at::Tensor& bias_F) {
  COTERIE_CHECK(ShapeError, values_RF.dim() == 2 && bias_F.dim() == 1 && bias_F.size(0) == values_RF.size(1),
                "activation: a bias must have one element per column, got ", bias_F.sizes(), " for ",
                values_RF.sizes());
  COTERIE_CHECK(ShapeError, bias_F.scalar_type() == compute_dtype(values_RF.scalar_type()), "activation: the bias of ",
                values_RF.scalar_type(), " must be ", compute_dtype(values_RF.scalar_type()), ", got ",
                bias_F.scalar_type());
}

class BiasActivate : public torch::autograd::Function<BiasActivate> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& values_RF,
                            const at::Tensor& bias_F, Activation activation) {
    context->save_for_backward({values_RF, bias_F});
    context->saved_data["activation"] = static_cast<std::int64_t>(activation);
    return activate(values_RF, bias_F, activation);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto activation = static_cast<Activation>(context->saved_data["activation"].toInt());
    const ActivationGradient gradient = activate_backward(gradients[0], saved[0], saved[1], activation);
    return {gradient.values_RF, gradient.bias_F, at::Tensor()};
  }
};

}  // namespace

at::Tensor activate(const at::Tensor& values_RF, const at::Tensor& bias_F, Activation activation) {
  check(values_RF, bias_F);
  if (!is_fused(bias_F, activation))
    return at::gelu(values_RF + bias_F, approximation(activation)).to(values_RF.scalar_type());
  if (values_RF.is_cuda()) return gpu::gelu(values_RF, bias_F);
  const at::Tensor rows_RF = values_RF.contiguous();
  at::Tensor out_RF = at::empty(rows_RF.sizes(), rows_RF.options());
  const std::int64_t width = rows_RF.size(1);
  with_gelu(rows_RF, [&](auto stored, const auto& gelu) {
    using Stored = decltype(stored);
    at::parallel_for(0, rows_RF.size(0), 16, [&](std::int64_t first, std::int64_t last) {
      gelu.forward(numbers<Stored>(rows_RF) + first * width, numbers<float>(bias_F), last - first, width,
                   writable_numbers<Stored>(out_RF) + first * width);
    });
  });
  return out_RF;
}

ActivationGradient activate_backward(const at::Tensor& gradient, const at::Tensor& values, const at::Tensor& bias_F,
                                     Activation activation) {
  check(values, bias_F);
  COTERIE_CHECK(ShapeError, gradient.sizes() == values.sizes(), "activation: the gradient must be ", values.sizes(),
                ", got ", gradient.sizes());
  const at::ScalarType dtype = values.scalar_type();
  if (!is_fused(bias_F, activation)) {
    const at::Tensor sum_RF = values + bias_F;
    const at::Tensor change_RF =
        at::gelu_backward(gradient.to(sum_RF.scalar_type()), sum_RF, approximation(activation));
    return {change_RF.to(dtype), change_RF.sum(0), at::gelu(sum_RF, approximation(activation)).to(dtype)};
  }
  if (values.is_cuda()) return gpu::gelu_backward(gradient, values, bias_F);
  const at::Tensor gradient_RF = gradient.contiguous();
  const at::Tensor values_RF = values.contiguous();
  const std::int64_t rows = values_RF.size(0);
  const std::int64_t width = values_RF.size(1);
  const std::int64_t parts = (rows + kSumRows - 1) / kSumRows;
  const at::Tensor sums_PF = at::zeros({parts, width}, bias_F.options().requires_grad(false));
  ActivationGradient result{at::empty_like(values_RF), {}, at::empty_like(values_RF)};
  with_gelu(values_RF, [&](auto stored, const auto& gelu) {
    using Stored = decltype(stored);
    at::parallel_for(0, parts, 1, [&](std::int64_t first_part, std::int64_t last_part) {
      for (std::int64_t p = first_part; p < last_part; ++p) {
        const std::int64_t first = p * kSumRows * width;
        gelu.backward({.gradient = numbers<Stored>(gradient_RF) + first,
                       .values = numbers<Stored>(values_RF) + first,
                       .bias = numbers<float>(bias_F),
                       .rows = std::min(kSumRows, rows - p * kSumRows),
                       .width = width,
                       .values_gradient = writable_numbers<Stored>(result.values_RF) + first,
                       .out = writable_numbers<Stored>(result.out_RF) + first,
                       .bias_gradient = writable_numbers<float>(sums_PF) + p * width});
      }
    });
  });
  result.bias_F = sums_PF.sum(0);
  return result;
}

at::Tensor bias_activate(const at::Tensor& values_RF, const at::Tensor& bias_F, Activation activation) {
  return BiasActivate::apply(values_RF, bias_F, activation);
}

}  // namespace coterie::kernels
