#include "experts/top_k_router.h"

#include <ATen/Functions.h>

#include "kernels/upload.h"

namespace coterie::experts {

Routing TopKRouter::route(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& noise,
                          const Choice* replay) const {
  const kernels::TokenPlaces places = noise.any() ? token_places(layout) : kernels::TokenPlaces{};
  const GateDecision decision = gate_.decide(tokens_TD, places, noise, replay ? &replay->expert_S : nullptr);
  const Choice choice = replay ? *replay
                               : Choice{at::arange(tokens_TD.size(0), at::kLong).repeat_interleave(gate_.top_k()),
                                        decision.expert_UK.flatten()};
  return {choice,
          decision.weight_UK.flatten(),
          {decision.logits_UE, decision.probability_UE, kernels::upload(sequence_of_tokens(layout), tokens_TD.device()),
           decision.expert_UK}};
}

}  // namespace coterie::experts
