// The differentiable exchange.
#include "dist/autograd.h"

#include <torch/csrc/autograd/custom_function.h>

namespace coterie::dist {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class Exchange final : public torch::autograd::Function<Exchange> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& rows, const ProcessGroup* group,
                            const Splits& send, const Splits& receive) {
    // The context stores values, not pointers: the address travels as an integer.
    context->saved_data["group"] = static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(group));
    context->saved_data["send"] = send;
    context->saved_data["receive"] = receive;
    return group->all_to_all(rows, send, receive);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto address = static_cast<std::intptr_t>(context->saved_data["group"].toInt());
    const auto* group = reinterpret_cast<const ProcessGroup*>(address);
    const Splits send = context->saved_data["send"].toIntVector();
    const Splits receive = context->saved_data["receive"].toIntVector();
    return {group->all_to_all(gradients[0].contiguous(), receive, send), {}, {}, {}};
  }
};

}  // namespace

at::Tensor exchange(const ProcessGroup& group, const at::Tensor& rows, const Splits& send, const Splits& receive) {
  if (group.size() == 1) {
    static_cast<void>(group.all_to_all(rows, send, receive));  // counts and validates as with more ranks
    return rows;
  }
  return Exchange::apply(rows, &group, send, receive);
}

}  // namespace coterie::dist
