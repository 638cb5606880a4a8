#include "experts/top_k_router.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "base/error.h"

namespace coterie::experts {

TopKRouter::TopKRouter(at::Tensor gate_ED, std::int64_t top_k) : gate_ED_(std::move(gate_ED)), top_k_(top_k) {
  if (top_k < 1 || top_k > gate_ED_.size(0))
    throw ConfigError(str("router: top_k must be in 1..", gate_ED_.size(0), " (the number of experts), got ", top_k,
                          " (experts.top_k)"));
}

at::Tensor TopKRouter::logits(const at::Tensor& tokens_TD) const {
  COTERIE_CHECK(ShapeError, tokens_TD.dim() == 2 && tokens_TD.size(1) == gate_ED_.size(1),
                "router: tokens must be [T, ", gate_ED_.size(1), "], got ", tokens_TD.sizes());
  return at::linear(tokens_TD.to(gate_ED_.scalar_type()), gate_ED_);
}

Routing TopKRouter::route(const at::Tensor& tokens_TD, const BatchLayout& layout, RandomKey /*key*/,
                          const Choice* replay) const {
  const at::Tensor logits_TE = logits(tokens_TD);
  const at::Tensor scores_TE = logits_TE.softmax(-1);
  Routing routing{{}, {}, {logits_TE, scores_TE, sequence_of_tokens(layout)}};
  if (replay != nullptr)
    routing.choice = *replay;
  else
    routing.choice = {at::arange(tokens_TD.size(0), at::kLong).repeat_interleave(top_k_),
                      std::get<1>(logits_TE.detach().topk(top_k_, -1)).flatten()};
  const at::Tensor chosen_TK = scores_TE.gather(-1, routing.choice.expert_S.view({-1, top_k_}));
  const at::Tensor sum_T1 = chosen_TK.sum(-1, /*keepdim=*/true);
  routing.weight_S = (chosen_TK / (top_k_ == 1 ? sum_T1.detach() : sum_T1)).flatten();
  return routing;
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
