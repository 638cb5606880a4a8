#include "kernels/activation.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "kernels/simd/functions.h"

namespace coterie::kernels {
namespace {

/// Rows whose bias gradients are summed by one thread: fixed, so that the sum does not depend on the threads.
constexpr std::int64_t kSumRows = 128;

const float* data_or_null(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}

/// erf GELU of values, [R, F] in float, plus a bias where there is one.
class Gelu : public torch::autograd::Function<Gelu> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& values,
                            const std::optional<at::Tensor>& bias) {
    const at::Tensor bias_F = bias.value_or(at::Tensor());
    const at::Tensor values_RF = values.contiguous();
    const at::Tensor out_RF = at::empty(values_RF.sizes(), values_RF.options());
    const std::int64_t width = values_RF.size(1);
    at::parallel_for(0, values_RF.size(0), 16, [&](std::int64_t first, std::int64_t last) {
      simd::function_set().gelu.forward(values_RF.const_data_ptr<float>() + first * width, data_or_null(bias_F),
                                        last - first, width, out_RF.mutable_data_ptr<float>() + first * width);
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
    const at::Tensor sums_PF = bias_F.defined() ? at::zeros({parts, width}, values_RF.options()) : at::Tensor();
    at::parallel_for(0, parts, 1, [&](std::int64_t first_part, std::int64_t last_part) {
      for (std::int64_t p = first_part; p < last_part; ++p) {
        const std::int64_t first = p * kSumRows;
        simd::function_set().gelu.backward(gradient_RF.const_data_ptr<float>() + first * width,
                                           values_RF.const_data_ptr<float>() + first * width, data_or_null(bias_F),
                                           std::min(kSumRows, rows - first), width,
                                           out_RF.mutable_data_ptr<float>() + first * width,
                                           bias_F.defined() ? sums_PF.mutable_data_ptr<float>() + p * width : nullptr);
      }
    });
    return {out_RF, bias_F.defined() ? sums_PF.sum(0) : at::Tensor()};
  }
};

}  // namespace

at::Tensor activate(const at::Tensor& values, Activation activation) {
  if (activation == Activation::gelu_tanh) return at::gelu(values, "tanh");
  if (values.scalar_type() != at::kFloat || values.numel() == 0) return at::gelu(values, "none");
  const std::int64_t width = values.dim() == 0 ? 1 : values.size(-1);
  return Gelu::apply(values.reshape({-1, width}), std::optional<at::Tensor>()).view(values.sizes());
}

at::Tensor bias_activate(const at::Tensor& values_RF, const at::Tensor& bias_F, Activation activation) {
  COTERIE_CHECK(ShapeError, values_RF.dim() == 2 && bias_F.dim() == 1 && bias_F.size(0) == values_RF.size(1),
                "activation: a bias must have one element per column, got ", bias_F.sizes(), " for ",
                values_RF.sizes());
  if (activation == Activation::gelu && values_RF.scalar_type() == at::kFloat)
    return Gelu::apply(values_RF, std::optional<at::Tensor>(bias_F));
  return activate(values_RF + bias_F, activation);
}

}  // namespace coterie::kernels
