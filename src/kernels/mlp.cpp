#include "kernels/mlp.h"

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "kernels/row_products.h"

namespace coterie::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class MlpFunction : public torch::autograd::Function<MlpFunction> {
 public:
  // The leaves are inputs only for their gradients: products read their copies.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& rows_RD, const at::Tensor& up_leaf,
                            const at::Tensor& up_bias_F, const at::Tensor& /*down_leaf*/,
                            const at::Tensor& /*down_bias*/, const MlpWeights& weights, Activation activation) {
    const at::Tensor& up_FD = weights.up_weight_FD.value;
    const at::Tensor& down_DF = weights.down_weight_DF.value;
    const at::Tensor values_RF = row_product(rows_RD, up_FD);
    context->save_for_backward({rows_RD, values_RF, up_FD, up_bias_F, down_DF});
    context->saved_data["activation"] = static_cast<std::int64_t>(activation);
    context->saved_data["master"] = up_leaf.scalar_type();
    return row_product(activate(values_RF, up_bias_F, activation), down_DF, weights.down_bias_D.value);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &rows_RD = saved[0], &values_RF = saved[1], &up_FD = saved[2], &up_bias_F = saved[3],
                     &down_DF = saved[4];
    const at::Tensor& gradient_RD = gradients[0];
    const auto activation = static_cast<Activation>(context->saved_data["activation"].toInt());
    const at::ScalarType master = context->saved_data["master"].toScalarType();
    const ActivationGradient inner =
        activate_backward(row_product(gradient_RD, down_DF.t()), values_RF, up_bias_F, activation);
    const at::Tensor down_gradient_DF = weight_gradient(gradient_RD, inner.out_RF, master);
    const at::Tensor rows_gradient_RD =
        context->needs_input_grad(0) ? row_product(inner.values_RF, up_FD.t()) : at::Tensor();
    const at::Tensor up_gradient_FD = weight_gradient(inner.values_RF, rows_RD, master);
    return {rows_gradient_RD, up_gradient_FD, inner.bias_F, down_gradient_DF, gradient_RD.sum(0, false, master),
            at::Tensor(),     at::Tensor()};
  }
};

}  // namespace

at::Tensor mlp(const at::Tensor& rows_RD, const MlpWeights& weights, Activation activation) {
  COTERIE_CHECK(ShapeError, rows_RD.scalar_type() == weights.up_weight_FD.value.scalar_type(), "mlp: rows must be ",
                weights.up_weight_FD.value.scalar_type(), " like the weights, got ", rows_RD.scalar_type());
  return MlpFunction::apply(rows_RD, weights.up_weight_FD.leaf, weights.up_bias_F.leaf, weights.down_weight_DF.leaf,
                            weights.down_bias_D.leaf, weights, activation);
}

}  // namespace coterie::kernels
