#include "model/encoder.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <utility>

#include "base/error.h"
#include "experts/gate_noise.h"
#include "kernels/attention.h"
#include "kernels/dropout.h"
#include "kernels/fused_norm.h"
#include "kernels/linear.h"
#include "kernels/pooling.h"
#include "kernels/recompute.h"
#include "kernels/upload.h"

namespace coterie::model {
namespace {

// Where random numbers strike; the number is part of the random key, so it must not change.
enum class Site : std::uint64_t {
  embeddings = 0,
  attention_probabilities = 1,
  attention_output = 2,
  mlp_output = 3,
  router = 4,
  head = 5
};

RandomKey site_key(RandomKey step, std::uint64_t layer, Site site) {
  return step.derive(layer).derive(static_cast<std::uint64_t>(site));
}

// The segment of each token, from 0: how many [SEP], the last id of every sequence, stand before it.
std::vector<std::int32_t> segments_of(const data::PackedSequences& sequences) {
  std::vector<std::int32_t> segments;
  for (std::size_t b = 0; b + 1 < sequences.offsets.size(); ++b) {
    const auto first = sequences.tokens.begin() + sequences.offsets[b];
    const auto end = sequences.tokens.begin() + sequences.offsets[b + 1];
    std::int32_t segment = 0;
    for (auto token = first; token != end; ++token) {
      segments.push_back(segment);
      if (*token == *(end - 1)) ++segment;
    }
  }
  return segments;
}

experts::BatchLayout layout_of(const data::SequenceLayout& sequences) {
  return {sequences.offsets, sequences.domain, sequences.sequence_index, sequences.expert};
}

// With what is known of the other ranks. Points into what it is made of.
experts::BatchLayout layout_of(const data::PackedSequences& sequences, const std::vector<std::int32_t>& segments) {
  experts::BatchLayout layout = layout_of(sequences);
  layout.token_type = segments;
  for (const data::SequenceLayout& peer : sequences.peers) layout.peers.push_back(layout_of(peer));
  return layout;
}

}  // namespace

struct Encoder::Pass {
  const data::PackedSequences& sequences;
  Noise noise;
  kernels::TokenPlaces places;
  std::vector<std::int32_t> segments;  // read by the router of token types alone
  experts::BatchLayout layout;         // of these
};

Encoder::Encoder(const ModelSpec& spec, const kernels::ParameterStore& store, const ExpertRange& range,
                 const dist::ProcessGroup& expert_group)
    : spec_(spec),
      product_(store.product()),
      words_VD_(store.at("embeddings.word_embeddings.weight")),
      positions_(store.at("embeddings.position_embeddings.weight")),
      types_(store.at("embeddings.token_type_embeddings.weight")),
      head_(make_head({spec, store, range, expert_group})) {
  const auto norm = [&](const std::string& prefix) {
    return Norm{store.at(prefix + ".weight"), store.at(prefix + ".bias")};
  };
  const auto linear = [&](const std::string& prefix) {
    return Linear{store.operand(prefix + ".weight"), store.operand(prefix + ".bias")};
  };
  embedding_norm_ = norm("embeddings.LayerNorm");
  const ExpertSource source{spec, store, range, expert_group};
  for (std::int64_t n = 0; n < spec.bert.layers; ++n) {
    const std::string at = str("encoder.layer.", n, ".");
    const auto projections = [&](const std::string& suffix) {
      std::vector<std::string> names;
      for (const char* name : {"query", "key", "value"}) names.push_back(at + "attention.self." + name + suffix);
      return store.joined(names);
    };
    layers_.push_back({.projections = {projections(".weight"), projections(".bias")},
                       .output = linear(at + "attention.output.dense"),
                       .attention_norm = norm(at + "attention.output.LayerNorm"),
                       .mlp = make_mlp(source, n),
                       .mlp_norm = norm(at + "output.LayerNorm")});
  }
}

at::Tensor Encoder::normalized(const at::Tensor& tokens_TD, const Norm& norm) const {
  return at::layer_norm(tokens_TD, {spec_.bert.hidden_size}, norm.weight_D, norm.bias_D, spec_.bert.layer_norm_eps);
}

at::Tensor Encoder::embeddings(const data::PackedSequences& sequences) const {
  std::vector<std::int64_t> ids(sequences.tokens.begin(), sequences.tokens.end());
  std::vector<std::int64_t> places(ids.size());
  for (std::size_t b = 0; b + 1 < sequences.offsets.size(); ++b) {
    const std::int64_t first = sequences.offsets[b];
    const std::int64_t length = sequences.offsets[b + 1] - first;
    if (length > spec_.bert.max_position_embeddings)
      throw DataError(str("encoder: a sequence may have ", spec_.bert.max_position_embeddings, " tokens, got ", length,
                          " (sequence ", b, " of the batch)"));
    for (std::int64_t t = 0; t < length; ++t) places[static_cast<std::size_t>(first + t)] = t;
    if (!spec_.domain_tokens) continue;
    if (sequences.domain[b] < 0 || sequences.domain[b] >= static_cast<std::int32_t>(spec_.domains.size()))
      throw DataError(str("encoder: a text has no domain, and the model puts a domain token before each (sequence ", b,
                          " of the batch)"));
    ids[static_cast<std::size_t>(first)] = spec_.bert.vocab_size + sequences.domain[b];
  }
  // The gradient of the words stays sparse until it is added: a dense one would be the largest tensor of a small piece.
  // Not on a GPU, which adds a sparse one in no fixed order.
  const at::Tensor words_TD = at::embedding(words_VD_, kernels::upload(ids, words_VD_.device()), /*padding_idx=*/-1,
                                            /*scale_grad_by_freq=*/false, /*sparse=*/words_VD_.device().is_cpu());
  const at::Tensor positions_TD = at::embedding(positions_, kernels::upload(places, positions_.device()));
  return words_TD + types_.select(0, 0) + positions_TD;
}

at::Tensor Encoder::attend(const Layer& layer, const at::Tensor& tokens_TD, const Pass& pass, RandomKey key) const {
  const at::Tensor projections_T3D = kernels::linear(tokens_TD, layer.projections.weight, layer.projections.bias);
  const at::Tensor mixed_TD = kernels::attention(projections_T3D, spec_.bert.heads, pass.sequences.offsets,
                                                 pass.sequences.sequence_index, {pass.noise.attention, key});
  return kernels::linear(mixed_TD, layer.output.weight, layer.output.bias);
}

at::Tensor Encoder::feed_forward(const Layer& layer, const at::Tensor& tokens_TD, const Pass& pass,
                                 experts::Plans& plans, RandomKey key) const {
  if (const auto* dense = std::get_if<experts::Mlp>(&layer.mlp))
    return dense->forward(tokens_TD, spec_.bert.activation);
  return std::get<experts::MoeLayer>(layer.mlp).forward(tokens_TD, pass.layout,
                                                        {pass.noise.jitter, pass.noise.logits, key}, plans);
}

at::Tensor Encoder::run_layer(std::size_t n, const at::Tensor& tokens_TD, const Pass& pass,
                              experts::Plans& plans) const {
  const Layer& layer = layers_[n];
  const Noise& noise = pass.noise;
  const auto add_and_norm = [&](const at::Tensor& added_TD, const at::Tensor& residual_TD, const Norm& norm,
                                Site site) {
    return kernels::dropout_residual_norm(added_TD, residual_TD,
                                          {norm.weight_D, norm.bias_D, spec_.bert.layer_norm_eps}, noise.hidden,
                                          site_key(noise.key, n, site), pass.places);
  };
  const at::Tensor mixed_TD = attend(layer, tokens_TD, pass, site_key(noise.key, n, Site::attention_probabilities));
  const at::Tensor inner_TD = add_and_norm(mixed_TD, tokens_TD, layer.attention_norm, Site::attention_output);
  const at::Tensor hidden_TD = feed_forward(layer, inner_TD, pass, plans, site_key(noise.key, n, Site::router));
  return add_and_norm(hidden_TD, inner_TD, layer.mlp_norm, Site::mlp_output);
}

at::Tensor Encoder::recomputed_layer(std::size_t n, const at::Tensor& tokens_TD,
                                     const std::shared_ptr<const Pass>& pass, experts::Plans& plans) const {
  // A router's scores are results too: losses on them reach the gate through this layer's graph.
  const auto segment = [this, n, pass, &plans](const at::Tensor& x_TD) {
    std::vector<at::Tensor> results = {run_layer(n, x_TD, *pass, plans)};
    const experts::RouterRecord* record = plans.record_of(static_cast<std::int64_t>(n));
    if (record != nullptr && record->scores.logits_UE.defined())
      results.insert(results.end(), {record->scores.logits_UE, record->scores.probability_UE});
    return results;
  };
  std::vector<at::Tensor> results = kernels::recomputed(segment, tokens_TD);
  if (results.size() > 1) {
    experts::RouterRecord record = *plans.record_of(static_cast<std::int64_t>(n));
    record.scores.logits_UE = results[1];
    record.scores.probability_UE = results[2];
    plans.record(std::move(record));
  }
  return results[0];
}

at::Tensor Encoder::forward(const data::PackedSequences& sequences, const Noise& noise, experts::Plans& plans,
                            std::vector<at::Tensor>* states) const {
  Pass common{sequences, noise, {}, {}, {}};
  if (spec_.router == experts::RouterKind::token_type) common.segments = segments_of(sequences);
  common.layout = layout_of(sequences, common.segments);
  common.places = experts::token_places(common.layout);
  common.places.put_on(words_VD_.device());
  plans.begin_pass();
  const auto pass = std::make_shared<const Pass>(std::move(common));
  at::Tensor tokens_TD = kernels::dropout(normalized(embeddings(sequences), embedding_norm_).to(product_), noise.hidden,
                                          site_key(noise.key, 0, Site::embeddings), pass->places);
  if (states) states->push_back(tokens_TD);
  for (std::size_t n = 0; n < layers_.size(); ++n) {
    tokens_TD = noise.activations == Activations::recomputed ? recomputed_layer(n, tokens_TD, pass, plans)
                                                             : run_layer(n, tokens_TD, *pass, plans);
    if (states) states->push_back(tokens_TD);
  }
  return tokens_TD.to(words_VD_.scalar_type());
}

at::Tensor Encoder::embed(const data::PackedSequences& sequences, const Noise& noise) const {
  COTERIE_CHECK(ShapeError, noise.activations == Activations::kept,
                "encoder: plans must be given where activations are recomputed: they must outlive backward");
  experts::Plans plans;
  return embed(sequences, noise, plans);
}

at::Tensor Encoder::embed(const data::PackedSequences& sequences, const Noise& noise, experts::Plans& plans) const {
  at::Tensor pooled_BD = kernels::pool(forward(sequences, noise, plans), sequences.offsets, spec_.pooling);
  if (head_)
    pooled_BD = head_->forward(pooled_BD, layout_of(sequences),
                               {noise.mode == Mode::training, site_key(noise.key, layers_.size(), Site::head)}, plans);
  return spec_.normalize ? kernels::normalize_rows(pooled_BD) : pooled_BD;
}

}  // namespace coterie::model
