#include "experts/gate.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "base/error.h"

namespace coterie::experts {

Gate::Gate(GateTensors tensors, std::int64_t top_k) : tensors_(std::move(tensors)), top_k_(top_k) {
  if (top_k < 1 || top_k > experts())
    throw ConfigError(
        str("router: top_k must be in 1..", experts(), " (the number of experts), got ", top_k, " (experts.top_k)"));
}

GateDecision Gate::decide(const at::Tensor& units_UD, const kernels::TokenPlaces& places, const RouterNoise& noise,
                          const at::Tensor* replay) const {
  const std::int64_t width = tensors_.weight_ED.size(1);
  COTERIE_CHECK(ShapeError, units_UD.dim() == 2 && units_UD.size(1) == width, "router: units must be [U, ", width,
                "], got ", units_UD.sizes());
  at::Tensor input_UD = units_UD.to(master());
  if (noise.jitter > 0.0)
    input_UD = input_UD * jitter_factors(places, width, noise.jitter, noise.key, input_UD.options());
  GateDecision decision;
  decision.logits_UE = at::linear(input_UD, tensors_.weight_ED);
  if (noise.logits > 0.0)
    decision.logits_UE =
        decision.logits_UE + noise.logits * normal_noise(places, experts(), noise.key, input_UD.options());
  decision.probability_UE = decision.logits_UE.softmax(-1);
  if (replay != nullptr) {
    decision.expert_UK = replay->view({-1, top_k_});
  } else {
    at::Tensor score_UE = decision.logits_UE.detach();
    if (tensors_.balance_E.defined()) score_UE = decision.probability_UE.detach() + tensors_.balance_E.detach();
    decision.expert_UK = std::get<1>(score_UE.topk(top_k_, -1));
  }
  // By logits: a bias may choose an expert whose probability is 0 in fp32, and 0 / 0 is no weight.
  if (top_k_ == 1) {
    const at::Tensor chosen_UK = decision.logits_UE.log_softmax(-1).gather(-1, decision.expert_UK);
    decision.weight_UK = (chosen_UK - chosen_UK.detach()).exp();
  } else {
    decision.weight_UK = decision.logits_UE.gather(-1, decision.expert_UK).softmax(-1);
  }
  return decision;
}

at::Tensor initial_gate(std::int64_t experts, std::int64_t width, RandomKey key) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(width));
  at::Tensor gate_ED = at::empty({experts, width}, at::kDouble);
  auto* out = gate_ED.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < gate_ED.numel(); ++i)
    out[i] = bound * (2.0 * random_unit(key, static_cast<std::uint64_t>(i)) - 1.0);
  return gate_ED;
}

}  // namespace coterie::experts
