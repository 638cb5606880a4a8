#include "model/weights.h"

#include <ATen/Functions.h>

#include <algorithm>

#include "base/error.h"
#include "experts/gate.h"
#include "experts/upcycling.h"
#include "model/hf_weights.h"

namespace coterie::model {
namespace {

constexpr const char* kWordEmbeddings = "embeddings.word_embeddings.weight";

bool is_expert(const std::string& name) { return name.find(".experts.") != std::string::npos; }

bool has_gates(const ModelSpec& spec) { return experts::learns(spec.router); }

// The shape of an MLP's tensor.
std::vector<std::int64_t> mlp_shape(const std::string& tensor, std::int64_t width, std::int64_t hidden) {
  if (tensor == "output.dense.weight") return {width, hidden};
  if (tensor == "output.dense.bias") return {width};
  if (tensor.ends_with(".weight")) return {hidden, width};
  return {hidden};
}

// What stands in the place of a layer's dense MLP.
void add_expert_layer(std::vector<TensorSpec>& tensors, const ModelSpec& spec, std::int64_t layer,
                      const ExpertRange& range) {
  const std::int64_t width = spec.bert.hidden_size;
  const std::int64_t hidden = spec.bert.intermediate_size;
  for (const std::string& tensor : experts::mlp_tensors(spec.expert_mlp)) {
    // Where heads are routed an expert sees the channels of one.
    for (std::int64_t e = range.first; e < range.first + range.count; ++e)
      tensors.push_back({experts::expert_tensor(layer, e, tensor), mlp_shape(tensor, width / spec.heads, hidden)});
    if (spec.shared_expert)
      tensors.push_back({experts::shared_tensor(layer, tensor), mlp_shape(tensor, width, hidden)});
  }
  if (spec.router != experts::RouterKind::multi_head) return;
  for (const char* part : {"heads.split", "heads.merge"}) {
    tensors.push_back({experts::dense_tensor(layer, str(part, ".weight")), {width, width}});
    tensors.push_back({experts::dense_tensor(layer, str(part, ".bias")), {width}});
  }
}

void add_head(std::vector<TensorSpec>& tensors, const ModelSpec& spec, const ExpertRange& range) {
  if (spec.head == experts::HeadKind::none) return;
  const std::int64_t width = spec.bert.hidden_size;
  const std::int64_t half = width / 2;
  const std::int64_t experts = spec.head_experts;
  tensors.push_back({head_tensor("gate.hidden.weight"), {half, width}});
  tensors.push_back({head_tensor("gate.hidden.bias"), {half}});
  tensors.push_back({head_tensor("gate.output.weight"), {experts, half}});
  tensors.push_back({head_tensor("gate.output.bias"), {experts}});
  tensors.push_back({head_tensor("noise.weight"), {experts, width}});
  tensors.push_back({head_tensor("noise.bias"), {experts}});
  for (std::int64_t e = range.head_first; e < range.head_first + range.head_count; ++e)
    for (const std::string& tensor : experts::mlp_tensors())
      tensors.push_back({head_expert_tensor(e, tensor), mlp_shape(tensor, width, half)});
}

bool is_head(const std::string& name) { return name.starts_with("head."); }

// The gate of a layer's router; the head's has the head's rate.
bool is_gate(const std::string& name) { return name.ends_with(".router.weight"); }

kernels::Rate rate_of(const std::string& name) {
  if (is_head(name)) return kernels::Rate::head;
  return is_gate(name) ? kernels::Rate::gate : kernels::Rate::encoder;
}

bool decays(const std::string& name) { return !name.ends_with(".bias") && name.find("LayerNorm") == std::string::npos; }

}  // namespace

std::string head_tensor(const std::string& tensor) { return "head." + tensor; }

std::string head_expert_tensor(std::int64_t expert, const std::string& tensor) {
  return str("head.experts.", expert, ".", tensor);
}

std::vector<TensorSpec> model_tensors(const ModelSpec& spec, const ExpertRange& range) {
  std::map<std::string, std::int64_t> replaced;  // dense MLP tensor -> its layer, where that layer has experts
  for (const std::int64_t layer : spec.expert_layers)
    for (const std::string& tensor : experts::mlp_tensors()) replaced[experts::dense_tensor(layer, tensor)] = layer;
  std::vector<TensorSpec> tensors;
  for (TensorSpec tensor : bert_tensors(spec.bert)) {
    if (tensor.name == kWordEmbeddings) tensor.shape[0] = spec.vocabulary();
    const auto found = replaced.find(tensor.name);
    if (found == replaced.end())
      tensors.push_back(std::move(tensor));
    else if (tensor.name == experts::dense_tensor(found->second, experts::mlp_tensors().front()))
      add_expert_layer(tensors, spec, found->second, range);
  }
  for (const std::int64_t layer : spec.expert_layers) {
    if (has_gates(spec))
      tensors.push_back({experts::gate_tensor(layer), {spec.expert_count, spec.bert.hidden_size / spec.heads}});
    if (spec.router_balance) tensors.push_back({experts::balance_tensor(layer), {spec.expert_count}});
  }
  add_head(tensors, spec, range);
  return tensors;
}

namespace {

// Matrices uniform in +-1 / sqrt(columns), biases zero.
void draw_head(Weights& weights, const ModelSpec& spec, RandomKey key) {
  std::vector<TensorSpec> tensors;
  add_head(tensors, spec, all_experts(spec));
  for (const TensorSpec& tensor : tensors)
    weights[tensor.name] = tensor.shape.size() == 2
                               ? experts::initial_gate(tensor.shape[0], tensor.shape[1], key.derive(tensor.name))
                               : at::zeros(tensor.shape, at::kDouble);
}

}  // namespace

Weights extend_weights(Weights dense, const ModelSpec& spec, std::int64_t cls, RandomKey key, double copy_noise) {
  if (spec.domain_tokens) {
    at::Tensor& rows_VD = dense.at(kWordEmbeddings);
    const auto domains = static_cast<std::int64_t>(spec.domains.size());
    rows_VD = at::cat({rows_VD, rows_VD.narrow(0, cls, 1).expand({domains, rows_VD.size(1)})});
  }
  const experts::Upcycling how{spec.expert_mlp, spec.shared_expert, copy_noise, key.derive("copies")};
  if (spec.router == experts::RouterKind::multi_head)
    experts::make_heads(dense, spec.expert_layers, spec.expert_count, spec.heads, how);
  else
    experts::upcycle(dense, spec.expert_layers, spec.expert_count, how);
  for (const std::int64_t layer : spec.expert_layers) {
    if (has_gates(spec))
      dense[experts::gate_tensor(layer)] = experts::initial_gate(spec.expert_count, spec.bert.hidden_size / spec.heads,
                                                                 key.derive(static_cast<std::uint64_t>(layer)));
    if (spec.router_balance) dense[experts::balance_tensor(layer)] = at::zeros({spec.expert_count}, at::kDouble);
  }
  draw_head(dense, spec, key.derive("head"));
  return dense;
}

std::vector<std::string> not_preserving(const ModelSpec& spec, double copy_noise, std::string_view added_tokens) {
  std::vector<std::string> reasons;
  if (!added_tokens.empty()) reasons.emplace_back("texts with words of model.added_tokens become other tokens");
  if (spec.router == experts::RouterKind::multi_head)
    reasons.emplace_back("multi_head replaces the MLPs of its layers by new ones for parts of a token");
  else if (copy_noise > 0.0 && !spec.expert_layers.empty())
    reasons.emplace_back("experts.copy_noise disturbs the copies of an MLP");
  if (spec.head != experts::HeadKind::none) reasons.emplace_back("the head adds the outputs of new experts");
  return reasons;
}

std::vector<std::string> not_splitting(const ModelSpec& spec) {
  using experts::RouterKind;
  std::vector<std::string> reasons;
  if (spec.router != RouterKind::none && spec.router != RouterKind::domain && spec.router != RouterKind::dense)
    reasons.push_back(str("only a route by domain splits into dense models, got router '", name_of(spec.router), "'"));
  if (spec.expert_mlp == experts::MlpKind::glu)
    reasons.emplace_back("a BERT's MLP has no gate, and these experts are enlarged by one (experts.mlp = glu)");
  if (spec.shared_expert) reasons.emplace_back("a shared expert makes two MLPs of one");
  if (spec.head != experts::HeadKind::none) reasons.emplace_back("a BERT has no head of experts behind its pooling");
  return reasons;
}

Weights dense_weights(Weights weights, const ModelSpec& spec, std::int32_t domain, std::int64_t cls) {
  const bool by_domain = spec.router == experts::RouterKind::domain;
  if (spec.domain_tokens) {
    at::Tensor& rows_VD = weights.at(kWordEmbeddings);
    at::Tensor kept_VD = rows_VD.narrow(0, 0, spec.bert.vocab_size).clone();
    kept_VD.select(0, cls).copy_(rows_VD.select(0, spec.bert.vocab_size + domain));
    rows_VD = kept_VD;
  }
  experts::extract_expert(weights, spec.expert_layers, by_domain ? domain : 0, spec.expert_count);
  return weights;
}

std::vector<kernels::Declaration> declare(const ModelSpec& spec, const ExpertRange& range, const Weights& weights) {
  std::vector<kernels::Declaration> declarations;
  for (const TensorSpec& tensor : model_tensors(spec, range)) {
    const auto found = weights.find(tensor.name);
    if (found == weights.end()) throw DataError(str("model: tensor '", tensor.name, "' is missing"));
    if (found->second.sizes() != at::IntArrayRef(tensor.shape))
      throw DataError(coterie::str("model: tensor '", tensor.name, "' must have shape ", at::IntArrayRef(tensor.shape),
                                   ", got ", found->second.sizes()));
    const kernels::ParameterKind kind{
        .sharing = is_expert(tensor.name) ? kernels::Sharing::expert : kernels::Sharing::replicated,
        .decay = decays(tensor.name) ? kernels::Decay::yes : kernels::Decay::no,
        .rate = rate_of(tensor.name)};
    declarations.push_back({tensor.name, found->second, kind});
  }
  return declarations;
}

}  // namespace coterie::model
