#include "model/sentence_encoder.h"

#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "base/cache.h"
#include "base/error.h"
#include "base/log.h"
#include "model/checkpoint.h"
#include "model/hf_weights.h"
#include "model/tokenizer_files.h"

namespace coterie::model {
namespace {

// The step that did best on the validation split, as the newest checkpoint remembers it.
fs::path best_checkpoint(const fs::path& run) {
  const fs::path folder = run / "checkpoints";
  const auto latest = latest_checkpoint(folder);
  if (!latest) throw DataError(str("run: there is no checkpoint yet (", folder.string(), ")"));
  const fs::path state_path = *latest / "state.json";
  try {
    const auto state = nlohmann::json::parse(read_file(state_path));
    const auto best = state.at("best_step").get<std::int64_t>();
    const fs::path chosen = folder / checkpoint_name(best);
    if (best >= 0 && fs::is_directory(chosen)) return chosen;
    if (best >= 0) log::warn(str("run: the best checkpoint is gone, taking the latest (", chosen.string(), ")"));
    return *latest;
  } catch (const nlohmann::json::exception& error) {
    throw DataError(str("run: ", error.what(), " (", state_path.string(), ")"));
  }
}

}  // namespace

ModelSource ModelSource::open(const fs::path& path) {
  fs::path folder = path;
  if (!fs::is_directory(folder)) folder = cached_model(path);
  if (!fs::is_directory(folder))
    throw ConfigError(str("model: there is no directory '", path.string(), "', nor a cached model of that name (",
                          folder.string(), ")"));
  // A run has its config from the start, its first checkpoint later.
  if (fs::is_directory(folder / "checkpoints") || fs::exists(folder / "config.toml")) folder = best_checkpoint(folder);
  const fs::path opened = fs::absolute(folder).lexically_normal();
  if (fs::exists(folder / "coterie.json")) return {read_model_spec(folder), folder, true, opened};
  const HfDirectory directory = read_hf_directory(folder);
  ModelSpec spec;
  spec.bert = directory.config;
  spec.pooling = directory.pooling;
  spec.normalize = directory.normalize;
  spec.max_length = directory.max_length;
  return {spec, directory.transformer, false, opened};
}

ModelSource ModelSource::open(const fs::path& path, const fs::path& added_tokens) {
  ModelSource source = open(path);
  if (added_tokens.empty()) return source;
  if (source.checkpoint)
    throw ConfigError(str("config: model.added_tokens must be empty for a run's checkpoint, got '",
                          added_tokens.string(), "' (", source.folder.string(), ")"));
  source.extension = read_extension(added_tokens, source.folder);
  const auto added = static_cast<std::int64_t>(source.extension.tokens.size());
  source.spec.bert.vocab_size = std::max(source.spec.bert.vocab_size, source.extension.first_id + added);
  return source;
}

Weights ModelSource::read(const ExpertRange& range) const {
  if (!checkpoint) {
    BertConfig stored = spec.bert;
    if (extension.empty()) return read_bert_weights(folder, stored);
    stored.vocab_size = read_bert_config(folder / "config.json").vocab_size;
    Weights weights = read_bert_weights(folder, stored);
    at::Tensor& rows_VD = weights.at("embeddings.word_embeddings.weight");
    rows_VD = extend_rows(rows_VD, extension);
    return weights;
  }
  const CheckpointReader reader(folder);
  Weights weights;
  for (const TensorSpec& tensor : model_tensors(spec, range)) weights[tensor.name] = reader.read(tensor.name);
  return weights;
}

data::Tokenizer ModelSource::tokenizer() const {
  data::Tokenizer tokenizer = data::Tokenizer::from_directory(folder, extension.tokens);
  if (tokenizer.vocabulary_size() > spec.bert.vocab_size)
    throw DataError(str("model: the tokenizer must have at most vocab_size (", spec.bert.vocab_size, ") ids, got ",
                        tokenizer.vocabulary_size(), " (", folder.string(), ")"));
  return tokenizer;
}

std::map<std::string, std::string> ModelSource::tokenizer_files() const {
  auto files = read_tokenizer_files(folder);
  if (!extension.empty()) extend_files(files, extension, folder);
  return files;
}

void ModelSource::set_head_inference(experts::HeadInference inference) {
  if (spec.head == experts::HeadKind::none)
    throw ConfigError(str("config: head.inference needs a model with a head behind pooling, got one without (",
                          folder.string(), ")"));
  spec.head_inference = inference;
}

data::Tokenizer ModelSource::tokenizer_of(const data::Corpus& corpus) const {
  data::Tokenizer own = tokenizer();
  if (own.fingerprint() != corpus.tokenizer())
    throw DataError(str("corpus: its ids are of another tokenizer than the model's (", corpus.path().string(), ", ",
                        folder.string(),
                        "); build the corpus again with this model.checkpoint and model.added_tokens"));
  return own;
}

namespace {

// The first of this rank's experts and their number, of `experts` in all; none of none.
// @param key  what says how many there are, for errors
std::pair<std::int64_t, std::int64_t> block_of(const dist::MeshShape& shape, std::int64_t experts, const char* key) {
  if (experts == 0) return {0, 0};
  try {
    return {shape.first_expert(experts), shape.local_experts(experts)};
  } catch (const ConfigError& error) {
    throw ConfigError(str(error.what(), "; ", key, " says how many experts there are"));
  }
}

}  // namespace

ExpertRange expert_range(const ModelSpec& spec, const dist::Mesh& mesh) {
  ExpertRange range;
  std::tie(range.first, range.count) = block_of(mesh.shape(), spec.expert_count, "experts.count");
  std::tie(range.head_first, range.head_count) = block_of(mesh.shape(), spec.head_experts, "head.experts");
  return range;
}

kernels::Dtypes dtypes_of(Precision precision) {
  return {at::kFloat, precision == Precision::bf16 ? at::kBFloat16 : at::kFloat};
}

SentenceEncoder make_sentence_encoder(const ModelSpec& spec, const Weights& weights, const dist::Mesh& mesh,
                                      const kernels::Dtypes& dtypes, const std::vector<kernels::Declaration>& extra) {
  const ExpertRange range = expert_range(spec, mesh);
  std::vector<kernels::Declaration> declarations = declare(spec, range, weights);
  declarations.insert(declarations.end(), extra.begin(), extra.end());
  SentenceEncoder model{spec, std::make_unique<kernels::ParameterStore>(declarations, dtypes, mesh.device().place()),
                        nullptr};
  model.encoder = std::make_unique<Encoder>(spec, *model.parameters, range, mesh.expert_group());
  return model;
}

}  // namespace coterie::model
