#include "kernels/optimizer.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

namespace coterie::kernels {

AdamW::AdamW(const AdamWOptions& options, const ParameterStore& store) : options_(options) {
  for (const Segment& segment : store.segments()) {
    first_.push_back(at::zeros_like(segment.values));
    second_.push_back(at::zeros_like(segment.values));
  }
}

void AdamW::step(ParameterStore& store, const LearningRates& rates, double divisor) {
  const c10::NoGradGuard no_grad;
  ++steps_;
  const at::Tensor count =
      at::full({}, static_cast<double>(steps_), at::TensorOptions(at::kFloat).device(store.device()));
  for (std::size_t s = 0; s < store.segments().size(); ++s) {
    const Segment& segment = store.segments()[s];
    // The fused kernel could divide too, but by a float only, which a double model must not depend on.
    if (divisor != 1.0) segment.gradients.div_(divisor);
    const double decay = segment.kind.decay == Decay::yes ? options_.weight_decay : 0.0;
    at::_fused_adamw_({segment.values}, {segment.gradients}, {first_[s]}, {second_[s]}, {}, {count},
                      rates.of(segment.kind.rate), options_.beta1, options_.beta2, decay, options_.epsilon,
                      /*amsgrad=*/false, /*maximize=*/false);
  }
  store.refresh();
}

}  // namespace coterie::kernels
