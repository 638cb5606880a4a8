#include "train/router_balance.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include "experts/upcycling.h"
#include "kernels/upload.h"

namespace coterie::train {

void update_balance(const model::SentenceEncoder& model, const std::vector<RouterSums>& sums, double rate) {
  if (!model.spec.router_balance) return;
  const c10::NoGradGuard no_grad;
  for (const RouterSums& layer : of_layers(sums)) {
    at::Tensor bias_E = model.parameters->at(experts::balance_tensor(layer.layer));
    // Whole numbers, times E: experts at exactly the mean stay as they are.
    const at::Tensor missing_E = layer.chosen_E.sum() - layer.chosen_E * static_cast<double>(model.spec.expert_count);
    bias_E.add_(kernels::upload(missing_E.sign().to(bias_E.scalar_type()), bias_E.device()), rate);
  }
}

}  // namespace coterie::train
