#include "kernels/permute.h"

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>

namespace coterie::kernels {
namespace {

class PermuteRows : public torch::autograd::Function<PermuteRows> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& rows_SD,
                            const at::Tensor& order_S, const at::Tensor& inverse_S) {
    context->save_for_backward({inverse_S});
    return rows_SD.index_select(0, order_S);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    return {gradients[0].index_select(0, context->get_saved_variables()[0]), {}, {}};
  }
};

}  // namespace

at::Tensor permute_rows(const at::Tensor& rows_SD, const at::Tensor& order_S, const at::Tensor& inverse_S) {
  return PermuteRows::apply(rows_SD, order_S, inverse_S);
}

}  // namespace coterie::kernels
