// Bias and GELU in one pass.
#include "kernels/activation.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "base/error.h"
#include "kernels/stored.h"

namespace coterie::kernels {
namespace {

/// Rows whose bias gradients are summed by one thread: fixed, so that the sum does not depend on the threads.
constexpr std::int64_t kSumRows = 128;

/// erf GELU of values plus a bias, [R, F] in float or bf16; the bias is float.
class Gelu : public torch::autograd::Function<Gelu> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& values,
                            const at::Tensor& bias_F) {
    const at::Tensor values_RF = values.contiguous();
    const at::Tensor out_RF = at::empty(values_RF.sizes(), values_RF.options());
    const std::int64_t width = values_RF.size(1);
    with_gelu(values_RF, [&](auto stored, const auto& gelu) {
      using Stored = decltype(stored);
      at::parallel_for(0, values_RF.size(0), 16, [&](std::int64_t first, std::int64_t last) {
        gelu.forward(numbers<Stored>(values_RF) + first * width, numbers<float>(bias_F), last - first, width,
                     writable_numbers<Stored>(out_RF) + first * width);
      });
    });
    context->save_for_backward({values_RF, bias_F});
    return out_RF;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& values_RF = saved[0];
    const at::Tensor& bias_F = saved[1];
    const at::Tensor gradient_RF = gradients[0].contiguous();
    const at::Tensor out_RF = at::empty(values_RF.sizes(), values_RF.options());
    const std::int64_t rows = values_RF.size(0);
    const std::int64_t width = values_RF.size(1);
    const std::int64_t parts = (rows + kSumRows - 1) / kSumRows;
    const at::Tensor sums_PF = at::zeros({parts, width}, bias_F.options().requires_grad(false));
    with_gelu(values_RF, [&](auto stored, const auto& gelu) {
      using Stored = decltype(stored);
      at::parallel_for(0, parts, 1, [&](std::int64_t first_part, std::int64_t last_part) {
        for (std::int64_t p = first_part; p < last_part; ++p) {
          const std::int64_t first = p * kSumRows;
          gelu.backward(numbers<Stored>(gradient_RF) + first * width, numbers<Stored>(values_RF) + first * width,
                        numbers<float>(bias_F), std::min(kSumRows, rows - first), width,
                        writable_numbers<Stored>(out_RF) + first * width, writable_numbers<float>(sums_PF) + p * width);
        }
      });
    });
    return {out_RF, sums_PF.sum(0)};
  }

 private:
  // Calls use(Stored{}, loops) for float or bf16.
  template <class Use>
  static void with_gelu(const at::Tensor& values_RF, const Use& use) {
    if (values_RF.scalar_type() == at::kFloat)
      use(float{}, simd::function_set().gelu);
    else
      use(simd::BFloat{}, simd::function_set().half_gelu);
  }
};

}  // namespace

at::Tensor bias_activate(const at::Tensor& values_RF, const at::Tensor& bias_F, Activation activation) {
  COTERIE_CHECK(ShapeError, values_RF.dim() == 2 && bias_F.dim() == 1 && bias_F.size(0) == values_RF.size(1),
                "activation: a bias must have one element per column, got ", bias_F.sizes(), " for ",
                values_RF.sizes());
  COTERIE_CHECK(ShapeError, bias_F.scalar_type() == compute_dtype(values_RF.scalar_type()), "activation: the bias of ",
                values_RF.scalar_type(), " must be ", compute_dtype(values_RF.scalar_type()), ", got ",
                bias_F.scalar_type());
  const bool fused = activation == Activation::gelu && bias_F.scalar_type() == at::kFloat;
  if (fused) return Gelu::apply(values_RF, bias_F);
  return at::gelu(values_RF + bias_F, activation == Activation::gelu ? "none" : "tanh").to(values_RF.scalar_type());
}

}  // namespace coterie::kernels
