#include "train/model_setup.h"

#include <algorithm>

#include "base/error.h"
#include "experts/upcycling.h"
#include "train/training_step.h"

namespace coterie::train {

namespace {

void add_experts(model::ModelSpec& spec, const experts::ExpertsOptions& options, std::int64_t domains) {
  if (options.router == experts::RouterKind::none) return;
  spec.expert_layers = experts::expert_layers(options.layers, spec.bert.layers);
  if (spec.expert_layers.empty()) return;
  spec.router = options.router;
  spec.expert_count = options.count == 0 ? domains : options.count;
  if (spec.router == experts::RouterKind::domain && spec.expert_count != domains)
    throw ConfigError(str("config: experts.count must be 0 or the number of domains (", domains,
                          ") when routed by domain, got ", options.count));
  spec.top_k = spec.router == experts::RouterKind::top_k_token ? options.top_k : 1;
  if (spec.top_k > spec.expert_count)
    throw ConfigError(
        str("config: experts.top_k must be in 1..", spec.expert_count, " (the number of experts), got ", spec.top_k));
}

}  // namespace

model::ModelSpec trained_spec(const RunOptions& options, const data::Corpus& corpus,
                              const model::ModelSpec& checkpoint) {
  if (!checkpoint.domains.empty() || checkpoint.router != experts::RouterKind::none)
    throw ConfigError(str("config: model.checkpoint must be a dense model, got one with domains or experts (",
                          options.model.checkpoint, ")"));
  model::ModelSpec spec = checkpoint;
  if (options.model.max_length > 0) spec.max_length = options.model.max_length;
  if (spec.max_length < 3 || spec.max_length > spec.bert.max_position_embeddings)
    throw ConfigError(
        str("config: model.max_length must be 3..", spec.bert.max_position_embeddings, ", got ", spec.max_length));
  add_experts(spec, options.experts, static_cast<std::int64_t>(corpus.domains().size()));
  spec.domain_tokens = options.experts.domain_tokens;
  if (spec.router == experts::RouterKind::domain || spec.domain_tokens) spec.domains = corpus.domains();
  return spec;
}

model::SentenceEncoder make_model(const RunOptions& options, const data::Corpus& corpus,
                                  const model::ModelSource& source, const dist::Mesh& mesh) {
  const model::ModelSpec spec = trained_spec(options, corpus, source.spec);
  const data::Tokenizer tokenizer = source.tokenizer_of(corpus);
  const model::Weights weights = model::extend_weights(
      source.read({}), spec, tokenizer.cls_id(), RandomKey{static_cast<std::uint64_t>(options.seed)}.derive("gate"));
  return model::make_sentence_encoder(spec, weights, mesh, model::dtypes_of(options.model.precision),
                                      loss_parameters(options.loss));
}

model::Noise dropout_of(const model::ModelOptions& options, const model::BertConfig& checkpoint) {
  model::Noise noise;
  if (options.hidden_dropout == model::Dropout::checkpoint) noise.hidden = checkpoint.hidden_dropout;
  if (options.attention_dropout == model::Dropout::checkpoint) noise.attention = checkpoint.attention_dropout;
  return noise;
}

std::int32_t unknown_domain(const model::ModelSpec& spec, const experts::ExpertsOptions& options) {
  if (spec.domains.empty() || options.unknown_domain == "error") return -1;
  return spec.domain(options.unknown_domain);
}

eval::CorpusView view_of(const data::Corpus& corpus, const model::ModelSpec& spec, const RunOptions& options) {
  eval::CorpusView view{corpus, {}, spec.max_length, options.eval.batch_tokens};
  const std::int32_t otherwise = unknown_domain(spec, options.experts);
  for (const std::string& name : corpus.domains()) {
    const auto found = std::find(spec.domains.begin(), spec.domains.end(), name);
    const bool known = found != spec.domains.end();
    if (!known && !spec.domains.empty() && otherwise < 0)
      throw ConfigError(str("config: the corpus has the domain '", name, "', which the model does not know (",
                            corpus.path().string(), "); set experts.unknown_domain to one it knows"));
    view.model_domain.push_back(known ? static_cast<std::int32_t>(found - spec.domains.begin()) : otherwise);
  }
  return view;
}

}  // namespace coterie::train
