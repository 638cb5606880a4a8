#include "experts/embedding_head.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "experts/gate_noise.h"
#include "experts/sentence_router.h"
#include "kernels/pooling.h"

namespace coterie::experts {

at::Tensor EmbeddingHead::logits(const at::Tensor& pooled_BD, const BatchLayout& layout, const HeadPass& pass) const {
  const at::Tensor hidden_BM = at::linear(pooled_BD, gate_.hidden_weight_MD, gate_.hidden_bias_M).relu();
  const at::Tensor logits_BE = at::linear(hidden_BM, gate_.output_weight_EM, gate_.output_bias_E);
  if (!pass.training) return logits_BE;
  const at::Tensor deviation_BE = at::softplus(at::linear(pooled_BD, gate_.noise_weight_ED, gate_.noise_bias_E));
  return logits_BE +
         normal_noise(sequence_places(layout), logits_BE.size(1), pass.key, logits_BE.options()) * deviation_BE;
}

// int64 [B, K]
at::Tensor EmbeddingHead::choose(const at::Tensor& logits_BE, const BatchLayout& layout, const HeadPass& pass) const {
  const std::int64_t experts = logits_BE.size(1);
  if (pass.training || inference_ == HeadInference::top1) return logits_BE.detach().argmax(-1, /*keepdim=*/true);
  if (inference_ == HeadInference::all) return at::arange(experts, at::kLong).expand({logits_BE.size(0), experts});
  std::vector<std::int64_t> drawn;
  for (const std::int64_t index : layout.sequence_index) drawn.push_back(random_expert(index, experts, pass.key));
  return at::tensor(drawn, at::kLong).unsqueeze(1);
}

at::Tensor EmbeddingHead::run(const at::Tensor& rows_RD, const std::vector<std::int64_t>& rows_per_expert) const {
  const auto output = [](const Bottleneck& expert, const at::Tensor& block) {
    return at::linear(at::linear(block, expert.up_weight_MD, expert.up_bias_M).relu(), expert.down_weight_DM,
                      expert.down_bias_D);
  };
  if (experts_.size() == 1) return output(experts_.front(), rows_RD);
  const auto blocks = rows_RD.split_with_sizes(rows_per_expert);
  std::vector<at::Tensor> outputs;
  // As in ExpertFfn: an expert without rows stays in the graph.
  for (std::size_t e = 0; e < experts_.size(); ++e) outputs.push_back(output(experts_[e], blocks[e]));
  return at::cat(outputs);
}

at::Tensor EmbeddingHead::forward(const at::Tensor& pooled_BD, const BatchLayout& layout, const HeadPass& pass,
                                  Plans& plans) const {
  const std::int64_t sequences = pooled_BD.size(0);
  const at::Tensor logits_BE = logits(pooled_BD, layout, pass);
  std::optional<Plan>& plan = plans.of_head();
  if (!plan) {
    const at::Tensor expert_BK = choose(logits_BE, layout, pass);
    plan = dispatcher_
               .plan({at::arange(sequences, at::kLong).repeat_interleave(expert_BK.size(1)), expert_BK.flatten()},
                     sequences)
               .on(pooled_BD.device());
  }
  const bool all = !pass.training && inference_ == HeadInference::all;
  const bool random = !pass.training && inference_ == HeadInference::random;
  const at::Tensor expert_BK =
      plan->choice.expert_S.to(logits_BE.device()).view({sequences, all ? logits_BE.size(1) : 1});
  const at::Tensor probability_BE = logits_BE.softmax(-1);
  plans.record({kHeadLayer,
                {logits_BE.detach(), probability_BE.detach(), at::arange(sequences, expert_BK.options()), expert_BK},
                {plan->choice.token_S, plan->choice.expert_S}});
  const at::Tensor weight_BK = probability_BE.gather(-1, expert_BK);
  const at::Tensor rows_RD = run(dispatcher_.dispatch(pooled_BD, *plan), plan->rows_per_expert);
  const at::Tensor mixed_BD = dispatcher_.combine(rows_RD, *plan, all ? weight_BK.flatten() : at::Tensor());
  const at::Tensor normal_BD = kernels::normalize_rows(mixed_BD);
  if (all || random) return normal_BD + pooled_BD;
  return weight_BK / weight_BK.detach() * normal_BD + pooled_BD;
}

}  // namespace coterie::experts
