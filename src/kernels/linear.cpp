// Products whose weights are copies of a master: the gradient goes to the master, not to the copy.
#include "kernels/linear.h"

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "base/error.h"
#include "kernels/row_products.h"

namespace coterie::kernels {
namespace {

using MaybeTensor = std::optional<at::Tensor>;

class Product : public torch::autograd::Function<Product> {
 public:
  // The leaves are inputs only for their gradients.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& rows_RI,
                            const at::Tensor& weight_leaf, const at::Tensor& weight_OI,
                            const MaybeTensor& /*bias_leaf*/, const MaybeTensor& bias_O) {
    context->save_for_backward({rows_RI, weight_OI});
    context->saved_data["master"] = weight_leaf.scalar_type();
    context->saved_data["has_bias"] = bias_O.has_value();
    return row_product(rows_RI, weight_OI, bias_O);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& gradient_RO = gradients[0];
    const at::ScalarType master = context->saved_data["master"].toScalarType();
    const bool has_bias = context->saved_data["has_bias"].toBool();
    const at::Tensor rows_RI = context->needs_input_grad(0) ? row_product(gradient_RO, saved[1].t()) : at::Tensor();
    const at::Tensor weight_OI = weight_gradient(gradient_RO, saved[0], master);
    const at::Tensor bias_O = has_bias ? gradient_RO.sum(0, false, master) : at::Tensor();
    return {rows_RI, weight_OI, at::Tensor(), bias_O, at::Tensor()};
  }
};

MaybeTensor given(const at::Tensor& tensor) { return tensor.defined() ? MaybeTensor(tensor) : std::nullopt; }

}  // namespace

at::Tensor product(const at::Tensor& rows_RI, const Operand& weight_OI) { return linear(rows_RI, weight_OI, {}); }

at::Tensor linear(const at::Tensor& rows_RI, const Operand& weight_OI, const Operand& bias_O) {
  COTERIE_CHECK(ShapeError, rows_RI.scalar_type() == weight_OI.value.scalar_type(), "linear: rows must be ",
                weight_OI.value.scalar_type(), " like the weight, got ", rows_RI.scalar_type());
  if (weight_OI.value.scalar_type() == weight_OI.leaf.scalar_type())
    return at::linear(rows_RI, weight_OI.leaf, given(bias_O.leaf));
  return Product::apply(rows_RI, weight_OI.leaf, weight_OI.value, given(bias_O.leaf), given(bias_O.value));
}

}  // namespace coterie::kernels
