#include "model/bert_config.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include "base/error.h"
#include "model/json_file.h"

namespace coterie::model {
namespace {

using kernels::Activation;

// Bounds that keep products of sizes far from overflow.
constexpr std::int64_t kMaxRows = 1 << 28;
constexpr std::int64_t kMaxWidth = 1 << 20;
constexpr std::int64_t kMaxLayers = 1024;

struct ActivationName {
  std::string_view name;
  Activation activation;
};

// For each activation first the oldest name, which every reader knows: it is the one written.
constexpr auto kActivations = std::to_array<ActivationName>({
    {"gelu", Activation::gelu},
    {"gelu_new", Activation::gelu_tanh},
    {"gelu_python", Activation::gelu},
    {"gelu_pytorch_tanh", Activation::gelu_tanh},
    {"gelu_fast", Activation::gelu_tanh},
});

Activation read_activation(const JsonObject& object) {
  const std::string name = object.text("hidden_act", "gelu");
  std::string names;
  for (const ActivationName& known : kActivations) {
    if (known.name == name) return known.activation;
    names += str(names.empty() ? "" : ", ", known.name);
  }
  object.reject("hidden_act", str("one of ", names));
}

std::string_view activation_name(Activation activation) {
  const auto* found = std::find_if(kActivations.begin(), kActivations.end(),
                                   [&](const ActivationName& known) { return known.activation == activation; });
  return found->name;
}

// Old checkpoints have no model_type; then the architecture, if there is one, must not say otherwise.
void check_family(const JsonObject& object) {
  if (object.find("model_type") != nullptr) {
    if (object.text("model_type", "") != "bert") object.reject("model_type", "'bert', the only family supported");
  } else if (const auto* architectures = object.find("architectures"); architectures != nullptr) {
    const bool bert = architectures->is_array() && !architectures->empty() && architectures->front().is_string() &&
                      architectures->front().get_ref<const std::string&>().starts_with("Bert");
    if (!bert) object.reject("architectures", "of BERT where model_type is missing");
  }
  if (object.text("position_embedding_type", "absolute") != "absolute")
    object.reject("position_embedding_type", "'absolute'");
  if (object.flag("is_decoder", false)) object.reject("is_decoder", "false, only encoders are supported");
}

}  // namespace

BertConfig read_bert_config(const fs::path& file) {
  const JsonObject object(read_json(file), file);
  check_family(object);
  BertConfig config;
  const auto size = [&](const char* key, std::int64_t& value, std::int64_t max) {
    value = object.integer(key, value, 1, max);
  };
  size("vocab_size", config.vocab_size, kMaxRows);
  size("hidden_size", config.hidden_size, kMaxWidth);
  size("num_hidden_layers", config.layers, kMaxLayers);
  size("num_attention_heads", config.heads, kMaxWidth);
  size("intermediate_size", config.intermediate_size, kMaxWidth);
  size("max_position_embeddings", config.max_position_embeddings, kMaxRows);
  size("type_vocab_size", config.type_vocab_size, kMaxRows);
  config.activation = read_activation(object);
  config.hidden_dropout = object.number("hidden_dropout_prob", config.hidden_dropout, 0, 1);
  config.attention_dropout = object.number("attention_probs_dropout_prob", config.attention_dropout, 0, 1);
  config.layer_norm_eps = object.number("layer_norm_eps", config.layer_norm_eps, std::numeric_limits<double>::min(), 1);
  // null says "no padding token"; nothing is padded here.
  if (const auto* pad = object.find("pad_token_id"); pad != nullptr && !pad->is_null())
    config.pad_token_id = object.integer("pad_token_id", 0, 0, config.vocab_size - 1);
  if (config.hidden_size % config.heads != 0)
    object.reject("num_attention_heads", str("a divisor of hidden_size (", config.hidden_size, ")"));
  return config;
}

std::string bert_config_json(const BertConfig& config) {
  const nlohmann::ordered_json object = {
      {"architectures", nlohmann::ordered_json::array({"BertModel"})},
      {"model_type", "bert"},
      {"vocab_size", config.vocab_size},
      {"hidden_size", config.hidden_size},
      {"num_hidden_layers", config.layers},
      {"num_attention_heads", config.heads},
      {"intermediate_size", config.intermediate_size},
      {"hidden_act", activation_name(config.activation)},
      {"hidden_dropout_prob", config.hidden_dropout},
      {"attention_probs_dropout_prob", config.attention_dropout},
      {"max_position_embeddings", config.max_position_embeddings},
      {"type_vocab_size", config.type_vocab_size},
      // Not used for anything, but TEI demands it.
      {"initializer_range", 0.02},
      {"layer_norm_eps", config.layer_norm_eps},
      {"pad_token_id", config.pad_token_id},
      {"position_embedding_type", "absolute"},
      {"torch_dtype", "float32"},
  };
  return object.dump(2) + "\n";
}

std::vector<TensorSpec> bert_tensors(const BertConfig& config) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t inner = config.intermediate_size;
  std::vector<TensorSpec> out;
  const auto norm = [&](const std::string& name) {
    out.push_back({name + ".weight", {hidden}});
    out.push_back({name + ".bias", {hidden}});
  };
  const auto linear = [&](const std::string& name, std::int64_t to, std::int64_t from) {
    out.push_back({name + ".weight", {to, from}});
    out.push_back({name + ".bias", {to}});
  };
  out.push_back({"embeddings.word_embeddings.weight", {config.vocab_size, hidden}});
  out.push_back({"embeddings.position_embeddings.weight", {config.max_position_embeddings, hidden}});
  out.push_back({"embeddings.token_type_embeddings.weight", {config.type_vocab_size, hidden}});
  norm("embeddings.LayerNorm");
  for (std::int64_t i = 0; i < config.layers; ++i) {
    const std::string layer = str("encoder.layer.", i, ".");
    for (const char* part : {"query", "key", "value"}) linear(str(layer, "attention.self.", part), hidden, hidden);
    linear(layer + "attention.output.dense", hidden, hidden);
    norm(layer + "attention.output.LayerNorm");
    linear(layer + "intermediate.dense", inner, hidden);
    linear(layer + "output.dense", hidden, inner);
    norm(layer + "output.LayerNorm");
  }
  return out;
}

}  // namespace coterie::model
