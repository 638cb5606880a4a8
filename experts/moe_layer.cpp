#include "experts/moe_layer.h"

#include <ATen/TensorOperators.h>

#include <algorithm>

#include "kernels/linear.h"

namespace coterie::experts {
namespace {

// What each rank of the expert group assigns to each expert, where all ranks know it.
std::vector<std::int64_t> known_counts(const Router& router, const BatchLayout& layout, const RouterNoise& noise) {
  std::vector<std::int64_t> known;
  for (const BatchLayout& peer : layout.peers) {
    const std::vector<std::int64_t> counts_E = router.counts(peer, noise);
    known.insert(known.end(), counts_E.begin(), counts_E.end());
  }
  return known;
}

}  // namespace

at::Tensor MoeLayer::forward(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& noise,
                             Plans& plans) const {
  const at::Tensor out_TD =
      parts_.heads ? by_heads(tokens_TD, layout, noise, plans) : routed(tokens_TD, layout, noise, plans);
  return parts_.shared ? out_TD + parts_.shared->forward(tokens_TD, {tokens_TD.size(0)}) : out_TD;
}

at::Tensor MoeLayer::routed(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& noise,
                            Plans& plans) const {
  std::optional<Plan>& plan = plans.of(*this);
  const Routing routing = parts_.router->route(tokens_TD, layout, noise, plan ? &plan->choice : nullptr);
  if (!plan)
    plan = parts_.dispatcher.plan(routing.choice, tokens_TD.size(0), known_counts(*parts_.router, layout, noise))
               .on(tokens_TD.device());
  const at::Tensor& unit_S = routing.choice.token_S;
  plans.record({parts_.layer,
                routing.scores,
                {parts_.heads ? unit_S.floor_divide(parts_.heads->count) : unit_S, routing.choice.expert_S}});
  const at::Tensor rows_RD = parts_.dispatcher.dispatch(tokens_TD, *plan);
  return parts_.dispatcher.combine(parts_.experts.forward(rows_RD, plan->rows_per_expert), *plan, routing.weight_S);
}

at::Tensor MoeLayer::by_heads(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& noise,
                              Plans& plans) const {
  const Heads& heads = *parts_.heads;
  std::vector<std::int64_t> offsets;
  for (const std::int64_t offset : layout.offsets) offsets.push_back(offset * heads.count);
  const BatchLayout of_heads{offsets, layout.domain, layout.sequence_index};
  const at::Tensor split_TD = kernels::linear(tokens_TD, heads.split_weight_DD, heads.split_bias_D);
  // W: channels of a part.
  const at::Tensor parts_SW = split_TD.reshape({-1, tokens_TD.size(1) / heads.count});
  const at::Tensor merged_TD = routed(parts_SW, of_heads, noise, plans).reshape(tokens_TD.sizes());
  return kernels::linear(merged_TD, heads.merge_weight_DD, heads.merge_bias_D);
}

void Plans::record(RouterRecord record) {
  const auto found = std::find_if(records_.begin(), records_.end(),
                                  [&](const RouterRecord& known) { return known.layer == record.layer; });
  if (found == records_.end()) {
    records_.push_back(std::move(record));
  } else {
    *found = std::move(record);
  }
}

const RouterRecord* Plans::record_of(std::int64_t layer) const {
  const auto found =
      std::find_if(records_.begin(), records_.end(), [&](const RouterRecord& known) { return known.layer == layer; });
  return found == records_.end() ? nullptr : &*found;
}

}  // namespace coterie::experts
