#include "model/weights.h"

#include <ATen/Functions.h>

#include <algorithm>

#include "base/error.h"
#include "experts/top_k_router.h"
#include "experts/upcycling.h"
#include "model/hf_weights.h"

namespace coterie::model {
namespace {

constexpr const char* kWordEmbeddings = "embeddings.word_embeddings.weight";

bool is_expert(const std::string& name) { return name.find(".experts.") != std::string::npos; }

bool has_gates(const ModelSpec& spec) { return spec.router == experts::RouterKind::top_k_token; }

bool decays(const std::string& name) { return !name.ends_with(".bias") && name.find("LayerNorm") == std::string::npos; }

}  // namespace

std::vector<TensorSpec> model_tensors(const ModelSpec& spec, const ExpertRange& range) {
  std::map<std::string, std::int64_t> expert_layer_of;  // dense MLP tensor -> its layer, where that layer has experts
  for (const std::int64_t layer : spec.expert_layers)
    for (const std::string& tensor : experts::mlp_tensors())
      expert_layer_of[experts::dense_tensor(layer, tensor)] = layer;
  std::vector<TensorSpec> tensors;
  for (TensorSpec tensor : bert_tensors(spec.bert)) {
    if (tensor.name == kWordEmbeddings) tensor.shape[0] = spec.vocabulary();
    const auto found = expert_layer_of.find(tensor.name);
    if (found == expert_layer_of.end()) {
      tensors.push_back(std::move(tensor));
      continue;
    }
    const std::string suffix = tensor.name.substr(experts::dense_tensor(found->second, "").size());
    for (std::int64_t e = range.first; e < range.first + range.count; ++e)
      tensors.push_back({experts::expert_tensor(found->second, e, suffix), tensor.shape});
  }
  if (has_gates(spec))
    for (const std::int64_t layer : spec.expert_layers)
      tensors.push_back({experts::gate_tensor(layer), {spec.expert_count, spec.bert.hidden_size}});
  return tensors;
}

Weights extend_weights(Weights dense, const ModelSpec& spec, std::int64_t cls, RandomKey key) {
  if (spec.domain_tokens) {
    at::Tensor& rows_VD = dense.at(kWordEmbeddings);
    const auto domains = static_cast<std::int64_t>(spec.domains.size());
    rows_VD = at::cat({rows_VD, rows_VD.narrow(0, cls, 1).expand({domains, rows_VD.size(1)})});
  }
  experts::upcycle(dense, spec.expert_layers, spec.expert_count);
  if (has_gates(spec))
    for (const std::int64_t layer : spec.expert_layers)
      dense[experts::gate_tensor(layer)] = experts::initial_gate(spec.expert_count, spec.bert.hidden_size,
                                                                 key.derive(static_cast<std::uint64_t>(layer)));
  return dense;
}

Weights dense_weights(Weights weights, const ModelSpec& spec, std::int32_t domain, std::int64_t cls) {
  if (spec.domain_tokens) {
    at::Tensor& rows_VD = weights.at(kWordEmbeddings);
    at::Tensor kept_VD = rows_VD.narrow(0, 0, spec.bert.vocab_size).clone();
    kept_VD.select(0, cls).copy_(rows_VD.select(0, spec.bert.vocab_size + domain));
    rows_VD = kept_VD;
  }
  experts::extract_expert(weights, spec.expert_layers, domain, spec.expert_count);
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
        .rate = kernels::Rate::encoder};
    declarations.push_back({tensor.name, found->second, kind});
  }
  return declarations;
}

}  // namespace coterie::model
