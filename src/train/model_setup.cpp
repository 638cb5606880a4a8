#include "train/model_setup.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "experts/upcycling.h"
#include "train/nearest_domain.h"
#include "train/training_step.h"

namespace coterie::train {

namespace {

using experts::RouterKind;

// The largest number of an expert that a document names.
std::int64_t most_named(const data::Corpus& corpus) {
  std::int64_t most = 0;
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(corpus.documents()); ++i)
    most = std::max(most, std::int64_t{corpus.expert(i)});
  return most;
}

// Training would meet such a document only when its batch comes.
void check_named(const data::Corpus& corpus, std::int64_t experts) {
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(corpus.documents()); ++i) {
    const std::int32_t named = corpus.expert(i);
    if (named < 0 || named >= experts)
      throw DataError(str("corpus: the expert of document '", corpus.id(i), "' must be in 0..", experts - 1, ", got ",
                          named < 0 ? "none" : std::to_string(named), " (", corpus.path().string(),
                          "; experts.router 'index', experts.count)"));
  }
}

// A literal [SEP] in a text ends a segment, as in Hugging Face's tokenizers. Reads the tokens of all documents.
void check_segments(const data::Corpus& corpus, std::int64_t experts, std::int64_t max_length) {
  std::vector<std::int32_t> tokens;
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(corpus.documents()); ++i) {
    tokens.clear();
    corpus.read_tokens(i, max_length, tokens);
    const std::int64_t segments = std::count(tokens.begin(), tokens.end(), tokens.back());
    if (segments > experts)
      throw DataError(str("corpus: document '", corpus.id(i), "' must have at most ", experts,
                          " segments, which end in [SEP], got ", segments, " (", corpus.path().string(),
                          "; experts.router 'token_type', experts.count)"));
  }
}

std::int64_t count_of(const experts::ExpertsOptions& options, const model::ModelSpec& spec,
                      const data::Corpus& corpus) {
  const auto domains = static_cast<std::int64_t>(corpus.domains().size());
  const auto forced = [&](std::int64_t only, const std::string& what) {
    if (options.count != 0 && options.count != only)
      throw ConfigError(str("config: experts.count must be 0 or ", what, ", got ", options.count));
    return only;
  };
  if (options.router == RouterKind::domain)
    return forced(domains, str("the number of domains (", domains, ") when routed by domain"));
  if (options.router == RouterKind::dense) return forced(1, "1 with the router dense");
  if (options.count > 0) return options.count;
  if (options.router == RouterKind::index) return most_named(corpus) + 1;
  return options.router == RouterKind::token_type ? spec.bert.type_vocab_size : domains;
}

[[nodiscard]] bool chooses_top_k(RouterKind router) {
  return experts::learns(router) && router != RouterKind::switch_sentence;
}

// What disturbs or balances a gate needs one, and what says how many experts a gate chooses, one that may choose
// several.
void check_gates(const RunOptions& options) {
  const RouterKind router = options.experts.router;
  if (!chooses_top_k(router) && options.experts.top_k != 1)
    throw ConfigError(str("config: experts.top_k must be 1 where the router does not choose several experts, got ",
                          options.experts.top_k, " with experts.router '", name_of(router), "'"));
  if (experts::learns(router)) return;
  for (const auto& [key, value] :
       {std::pair{"experts.jitter", options.experts.jitter}, std::pair{"experts.noise", options.experts.noise},
        std::pair{"optim.router_balance_rate", options.optim.router_balance_rate}})
    if (value > 0.0)
      throw ConfigError(str("config: ", key, " must be 0 where the router does not learn, got ", value,
                            " with experts.router '", name_of(router), "'"));
  if (options.optim.gate_lr_factor != 1.0)
    throw ConfigError(str("config: optim.gate_lr_factor must be 1 where the router does not learn, got ",
                          options.optim.gate_lr_factor, " with experts.router '", name_of(router), "'"));
}

// Without experts there is nothing that these could be said of.
void check_dense(const experts::ExpertsOptions& options) {
  if (options.router != RouterKind::none) return;
  const char* instead = "; experts.router 'dense' makes one such expert of each MLP";
  if (options.count != 0)
    throw ConfigError(str("config: experts.count must be 0 with experts.router 'none', got ", options.count));
  if (options.mlp != experts::MlpKind::plain)
    throw ConfigError(str("config: experts.mlp must be 'plain' with experts.router 'none', got '",
                          experts::kMlpNames[static_cast<std::size_t>(options.mlp)], "'", instead));
  if (options.shared)
    throw ConfigError(str("config: experts.shared must be false with experts.router 'none', got true", instead));
}

void check_auxiliary(const AuxiliaryOptions& options, const model::ModelSpec& spec, std::int64_t domains) {
  if (options.any() && !experts::learns(spec.router))
    throw ConfigError(
        "config: loss.auxiliary weights must be 0 unless every layer with experts has a learned router; none has "
        "(experts.router)");
  if (options.specified_expert > 0 && domains > spec.expert_count)
    throw ConfigError(
        str("config: loss.auxiliary.specified_expert must be 0 unless there is an expert for each domain (", domains,
            "), got ", spec.expert_count, " experts"));
}

void add_experts(model::ModelSpec& spec, const RunOptions& run, const data::Corpus& corpus) {
  const experts::ExpertsOptions& options = run.experts;
  check_gates(run);
  check_dense(options);
  if (options.router != RouterKind::none) spec.expert_layers = experts::expert_layers(options.layers, spec.bert.layers);
  const bool copied = !spec.expert_layers.empty() && options.router != RouterKind::multi_head;
  if (options.copy_noise > 0.0 && !copied)
    throw ConfigError(str("config: experts.copy_noise must be 0 where no MLP is copied, got ", options.copy_noise));
  if (spec.expert_layers.empty()) return;
  spec.router = options.router;
  spec.expert_count = count_of(options, spec, corpus);
  if (options.router == RouterKind::index) check_named(corpus, spec.expert_count);
  if (options.router == RouterKind::token_type) check_segments(corpus, spec.expert_count, spec.max_length);
  spec.expert_mlp = options.mlp;
  spec.shared_expert = options.shared;
  spec.router_balance = run.optim.router_balance_rate > 0.0;
  spec.top_k = options.top_k;
  if (spec.top_k > spec.expert_count)
    throw ConfigError(
        str("config: experts.top_k must be in 1..", spec.expert_count, " (the number of experts), got ", spec.top_k));
  if (options.router != RouterKind::multi_head) return;
  spec.heads = options.heads;
  if (spec.bert.hidden_size % spec.heads != 0)
    throw ConfigError(
        str("config: experts.heads must divide the model's width (", spec.bert.hidden_size, "), got ", spec.heads));
}

void add_head(model::ModelSpec& spec, const experts::HeadOptions& options) {
  if (options.kind == experts::HeadKind::none) return;
  spec.head = options.kind;
  spec.head_experts = options.experts;
  spec.head_inference = options.inference;
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
  spec.normalize = model::normalizes(options.model.normalize, checkpoint.normalize);
  if (options.experts.router == RouterKind::index && !corpus.names_experts())
    throw ConfigError(
        str("config: experts.router 'index' needs a corpus whose documents name an 'expert', got one that ",
            "names none (", corpus.path().string(), ")"));
  const auto domains = static_cast<std::int64_t>(corpus.domains().size());
  add_experts(spec, options, corpus);
  check_auxiliary(options.loss.auxiliary, spec, domains);
  add_head(spec, options.head);
  spec.domain_tokens = options.experts.domain_tokens;
  if (spec.router == experts::RouterKind::domain || spec.domain_tokens) spec.domains = corpus.domains();
  return spec;
}

model::SentenceEncoder make_model(const RunOptions& options, const data::Corpus& corpus,
                                  const model::ModelSource& source, const dist::Mesh& mesh,
                                  const std::vector<kernels::Declaration>& kept) {
  const model::ModelSpec spec = trained_spec(options, corpus, source.spec);
  const data::Tokenizer tokenizer = source.tokenizer_of(corpus);
  const model::Weights weights = model::extend_weights(
      source.read({}), spec, tokenizer.cls_id(), RandomKey{static_cast<std::uint64_t>(options.seed)}.derive("gate"),
      options.experts.copy_noise);
  std::vector<kernels::Declaration> extra = loss_parameters(options.loss);
  extra.insert(extra.end(), kept.begin(), kept.end());
  return model::make_sentence_encoder(spec, weights, mesh, model::dtypes_of(options.model.precision), extra);
}

model::Noise training_noise(const RunOptions& options, const model::BertConfig& checkpoint) {
  model::Noise noise;
  if (options.model.hidden_dropout == model::Dropout::checkpoint) noise.hidden = checkpoint.hidden_dropout;
  if (options.model.attention_dropout == model::Dropout::checkpoint) noise.attention = checkpoint.attention_dropout;
  noise.jitter = options.experts.jitter;
  noise.logits = options.experts.noise;
  noise.mode = model::Mode::training;
  if (options.train.recompute) noise.activations = model::Activations::recomputed;
  return noise;
}

std::int32_t unknown_domain(const model::ModelSpec& spec, const experts::ExpertsOptions& options) {
  if (spec.domains.empty() || options.unknown_domain == "error" || options.unknown_domain == kNearest) return -1;
  return spec.domain(options.unknown_domain);
}

RandomKey evaluation_key(const RunOptions& options) {
  return RandomKey{static_cast<std::uint64_t>(options.seed)}.derive("evaluation");
}

eval::CorpusView view_of(const data::Corpus& corpus, const model::ModelSpec& spec, const RunOptions& options) {
  eval::CorpusView view{.corpus = corpus,
                        .model_domain = {},
                        .max_length = spec.max_length,
                        .batch_tokens = options.eval.batch_tokens,
                        .place_unknown = {},
                        .key = evaluation_key(options)};
  const std::int32_t otherwise = unknown_domain(spec, options.experts);
  for (const std::string& name : corpus.domains()) {
    const auto found = std::find(spec.domains.begin(), spec.domains.end(), name);
    const bool known = found != spec.domains.end();
    const bool nearest = options.experts.unknown_domain == kNearest;
    if (!known && !spec.domains.empty() && otherwise < 0 && !nearest)
      throw ConfigError(str("config: the corpus has the domain '", name, "', which the model does not know (",
                            corpus.path().string(), "); set experts.unknown_domain to one it knows, or to nearest"));
    view.model_domain.push_back(known ? static_cast<std::int32_t>(found - spec.domains.begin()) : otherwise);
  }
  return view;
}

}  // namespace coterie::train
