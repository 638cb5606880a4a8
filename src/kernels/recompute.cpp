#include "kernels/recompute.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace coterie::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What the graph keeps besides tensors must be an object of this kind.
struct HeldSegment final : torch::CustomClassHolder {
  explicit HeldSegment(Recomputable held) : segment(std::move(held)) {}
  Recomputable segment;
};

class RecomputedFunction : public torch::autograd::Function<RecomputedFunction> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& input, const Recomputable& segment) {
    context->save_for_backward({input});
    context->saved_data["segment"] = c10::IValue::make_capsule(c10::make_intrusive<HeldSegment>(segment));
    context->set_materialize_grads(false);
    return segment(input);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto held = c10::static_intrusive_pointer_cast<HeldSegment>(context->saved_data["segment"].toCapsule());
    const at::Tensor input = context->get_saved_variables()[0].detach().requires_grad_();
    const c10::AutoGradMode with_graph(true);
    const variable_list outputs = held->segment(input);
    variable_list roots;
    variable_list root_gradients;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (!gradients[i].defined() || !outputs[i].requires_grad()) continue;
      roots.push_back(outputs[i]);
      root_gradients.push_back(gradients[i]);
    }
    torch::autograd::backward(roots, root_gradients);
    return {input.grad(), at::Tensor()};
  }
};

}  // namespace

std::vector<at::Tensor> recomputed(const Recomputable& segment, const at::Tensor& input) {
  return RecomputedFunction::apply(input, segment);
}

}  // namespace coterie::kernels
