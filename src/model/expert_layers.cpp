#include "model/expert_layers.h"

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "experts/enforced_router.h"
#include "experts/sentence_router.h"
#include "experts/top_k_router.h"
#include "experts/upcycling.h"

namespace coterie::model {
namespace {

using experts::RouterKind;

// @param name_of  from the tensor's name in an MLP to its full name
template <class Name>
experts::Mlp mlp_of(const kernels::ParameterStore& store, experts::MlpKind kind, const Name& name_of) {
  const auto operand = [&](const char* tensor) { return store.operand(name_of(tensor)); };
  experts::Mlp mlp{operand("intermediate.dense.weight"), operand("intermediate.dense.bias"),
                   operand("output.dense.weight"), operand("output.dense.bias")};
  if (kind == experts::MlpKind::glu) {
    mlp.gate_weight_FD = operand("intermediate.gate.weight");
    mlp.gate_bias_F = operand("intermediate.gate.bias");
  }
  return mlp;
}

std::shared_ptr<const experts::Router> router_of(const ExpertSource& source, std::int64_t layer) {
  const ModelSpec& spec = source.spec;
  const auto gate = [&] {
    at::Tensor balance_E;
    if (spec.router_balance) balance_E = source.store.at(experts::balance_tensor(layer));
    return experts::Gate({source.store.at(experts::gate_tensor(layer)), balance_E}, spec.top_k);
  };
  const auto enforced = [&](experts::Enforced by) {
    return std::make_shared<experts::EnforcedRouter>(by, spec.expert_count);
  };
  switch (spec.router) {
    case RouterKind::top_k_token:
    case RouterKind::multi_head:
      return std::make_shared<experts::TopKRouter>(gate());
    case RouterKind::switch_sentence:
    case RouterKind::top_k_sentence:
      return std::make_shared<experts::SentenceRouter>(gate());
    case RouterKind::random:
      return std::make_shared<experts::RandomRouter>(spec.expert_count);
    case RouterKind::token_type:
      return enforced(experts::Enforced::token_type);
    case RouterKind::index:
      return enforced(experts::Enforced::index);
    case RouterKind::dense:
      return enforced(experts::Enforced::one);
    case RouterKind::domain:
    case RouterKind::none:
      break;
  }
  return enforced(experts::Enforced::domain);
}

std::optional<experts::Heads> heads_of(const ExpertSource& source, std::int64_t layer) {
  if (source.spec.router != RouterKind::multi_head) return std::nullopt;
  const auto operand = [&](const char* tensor) { return source.store.operand(experts::dense_tensor(layer, tensor)); };
  return experts::Heads{source.spec.heads, operand("heads.split.weight"), operand("heads.split.bias"),
                        operand("heads.merge.weight"), operand("heads.merge.bias")};
}

}  // namespace

std::variant<experts::Mlp, experts::MoeLayer> make_mlp(const ExpertSource& source, std::int64_t layer) {
  const ModelSpec& spec = source.spec;
  if (!std::binary_search(spec.expert_layers.begin(), spec.expert_layers.end(), layer))
    return mlp_of(source.store, experts::MlpKind::plain,
                  [&](const std::string& tensor) { return experts::dense_tensor(layer, tensor); });
  const auto ffn = [&](std::vector<experts::Mlp> mlps) {
    return experts::ExpertFfn(std::move(mlps), spec.bert.activation);
  };
  std::vector<experts::Mlp> mine;
  for (std::int64_t e = source.range.first; e < source.range.first + source.range.count; ++e)
    mine.push_back(mlp_of(source.store, spec.expert_mlp,
                          [&](const std::string& tensor) { return experts::expert_tensor(layer, e, tensor); }));
  experts::MoeParts parts{router_of(source, layer), experts::Dispatcher(source.group, spec.expert_count),
                          ffn(std::move(mine)), layer};
  parts.heads = heads_of(source, layer);
  if (spec.shared_expert)
    parts.shared = ffn({mlp_of(source.store, spec.expert_mlp,
                               [&](const std::string& tensor) { return experts::shared_tensor(layer, tensor); })});
  return experts::MoeLayer(std::move(parts));
}

std::optional<experts::EmbeddingHead> make_head(const ExpertSource& source) {
  const ModelSpec& spec = source.spec;
  if (spec.head == experts::HeadKind::none) return std::nullopt;
  const auto at = [&](const std::string& tensor) { return source.store.at(head_tensor(tensor)); };
  std::vector<experts::Bottleneck> mine;
  for (std::int64_t e = source.range.head_first; e < source.range.head_first + source.range.head_count; ++e) {
    const auto of_expert = [&](const char* tensor) { return source.store.at(head_expert_tensor(e, tensor)); };
    mine.push_back({of_expert("intermediate.dense.weight"), of_expert("intermediate.dense.bias"),
                    of_expert("output.dense.weight"), of_expert("output.dense.bias")});
  }
  experts::HeadGate gate{at("gate.hidden.weight"), at("gate.hidden.bias"), at("gate.output.weight"),
                         at("gate.output.bias"),   at("noise.weight"),     at("noise.bias")};
  return experts::EmbeddingHead(std::move(gate), std::move(mine), experts::Dispatcher(source.group, spec.head_experts),
                                spec.head_inference);
}

}  // namespace coterie::model
