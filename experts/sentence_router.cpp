#include "experts/sentence_router.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "kernels/pooling.h"
#include "kernels/spread_rows.h"
#include "kernels/upload.h"

namespace coterie::experts {
namespace {

// Each token's assignments are those of its sequence.
Choice choice_of(const at::Tensor& expert_BK, const at::Tensor& sequence_T) {
  return {at::arange(sequence_T.size(0), at::kLong).repeat_interleave(expert_BK.size(1)),
          expert_BK.index_select(0, sequence_T).flatten()};
}

}  // namespace

Routing SentenceRouter::route(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& noise,
                              const Choice* replay) const {
  const std::vector<std::int64_t> offsets(layout.offsets.begin(), layout.offsets.end());
  const auto sequences = static_cast<std::int64_t>(offsets.size()) - 1;
  const at::Device device = tokens_TD.device();
  const at::Tensor bounds = kernels::upload(offsets, device);
  const at::Tensor first_B = bounds.narrow(0, 0, sequences);
  const at::Tensor mean_BD = kernels::pool(tokens_TD.to(gate_.master()), offsets, kernels::Pooling::mean);
  at::Tensor chosen_BK;
  if (replay != nullptr)  // every token of a sequence has its experts: the first says which
    chosen_BK = replay->expert_S.view({-1, gate_.top_k()}).index_select(0, first_B);
  const GateDecision decision =
      gate_.decide(mean_BD, sequence_places(layout), noise, replay != nullptr ? &chosen_BK : nullptr);
  const at::Tensor sequence_T = kernels::upload(sequence_of_tokens(layout), device);
  const at::Tensor weight_TK =
      kernels::spread_rows(decision.weight_UK, sequence_T, bounds.narrow(0, 1, sequences) - first_B);
  return {replay != nullptr ? *replay : choice_of(decision.expert_UK, sequence_T),
          weight_TK.flatten(),
          {decision.logits_UE, decision.probability_UE, at::arange(sequences, bounds.options()), decision.expert_UK}};
}

std::int64_t random_expert(std::int64_t sequence_index, std::int64_t experts, RandomKey key) {
  return static_cast<std::int64_t>(
      random_below(key, static_cast<std::uint64_t>(sequence_index), static_cast<std::uint64_t>(experts)));
}

std::vector<std::int64_t> RandomRouter::experts_of(const BatchLayout& layout, RandomKey key) const {
  std::vector<std::int64_t> expert_B;
  for (const std::int64_t index : layout.sequence_index) expert_B.push_back(random_expert(index, experts_, key));
  return expert_B;
}

std::vector<std::int64_t> RandomRouter::counts(const BatchLayout& layout, const RouterNoise& noise) const {
  std::vector<std::int64_t> counts_E(static_cast<std::size_t>(experts_), 0);
  const std::vector<std::int64_t> expert_B = experts_of(layout, noise.key);
  for (std::size_t b = 0; b < expert_B.size(); ++b)
    counts_E[static_cast<std::size_t>(expert_B[b])] += layout.offsets[b + 1] - layout.offsets[b];
  return counts_E;
}

Routing RandomRouter::route(const at::Tensor& /*tokens_TD*/, const BatchLayout& layout, const RouterNoise& noise,
                            const Choice* replay) const {
  if (replay != nullptr) return {*replay, {}, {}};
  const at::Tensor expert_B = at::tensor(experts_of(layout, noise.key), at::kLong);
  return {choice_of(expert_B.unsqueeze(1), at::tensor(sequence_of_tokens(layout), at::kLong)), {}, {}};
}

}  // namespace coterie::experts
