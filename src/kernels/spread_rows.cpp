#include "kernels/spread_rows.h"

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/stored.h"

namespace coterie::kernels {
namespace {

class SpreadRows : public torch::autograd::Function<SpreadRows> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& rows_ND,
                            const at::Tensor& from_S, const at::Tensor& count_N) {
    context->save_for_backward({count_N});
    return rows_ND.index_select(0, from_S);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const at::Tensor& gradient_SD = gradients[0];
    const at::Tensor wide_SD = gradient_SD.to(compute_dtype(gradient_SD.scalar_type())).contiguous();
    const at::Tensor sum_ND = at::segment_reduce(wide_SD, "sum", context->get_saved_variables()[0], {}, {}, 0,
                                                 /*unsafe=*/true, 0.0);
    return {sum_ND.to(gradient_SD.scalar_type()), {}, {}};
  }
};

}  // namespace

at::Tensor spread_rows(const at::Tensor& rows_ND, const at::Tensor& from_S, const at::Tensor& count_N) {
  return SpreadRows::apply(rows_ND, from_S, count_N);
}

}  // namespace coterie::kernels
