#include "model/model_spec.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/error.h"

namespace coterie::model {
namespace {

using nlohmann::json;

constexpr int kVersion = 3;
constexpr auto kPoolings = std::to_array<std::string_view>({"mean", "cls", "max"});

// The JSON library would cut a fraction off.
std::int64_t integer(const json& value, const char* key) {
  if (!value.is_number_integer()) throw DataError(str(key, " must be of integers, got ", value.dump()));
  return value.get<std::int64_t>();
}

// The enumerator that `key` spells.
template <class Kind, class Names>
Kind kind_of(const json& value, const char* key, const Names& names) {
  const auto name = value.get<std::string>();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw DataError(str(key, " must be one of ", joined(names), ", got '", name, "'"));
  return static_cast<Kind>(found - names.begin());
}

template <class Kind, class Names>
std::string name_of(Kind kind, const Names& names) {
  return std::string(names[static_cast<std::size_t>(kind)]);
}

void check_head(const ModelSpec& spec) {
  const bool there = spec.head != experts::HeadKind::none;
  if (spec.head_experts < (there ? 1 : 0) || spec.head_experts > (there ? experts::kMostExperts : 0))
    throw DataError(str("head.experts must be ", there ? str("1..", experts::kMostExperts) : "0 without a head",
                        ", got ", spec.head_experts));
}

void check_heads(const ModelSpec& spec) {
  const bool split = spec.router == experts::RouterKind::multi_head;
  if (spec.heads < 1 || (spec.heads > 1) != split || spec.bert.hidden_size % spec.heads != 0)
    throw DataError(
        str("heads must be ", split ? str("2 or more and divide ", spec.bert.hidden_size) : "1", ", got ", spec.heads));
  if (spec.router_balance && !experts::learns(spec.router))
    throw DataError(str("router_balance must be false where the router does not learn, got true with '",
                        name_of(spec.router), "'"));
}

void check_experts(const ModelSpec& spec) {
  const bool routed = spec.router != experts::RouterKind::none;
  if (routed == spec.expert_layers.empty())
    throw DataError(str("router must be none exactly where no layer has experts, got '", name_of(spec.router), "' and ",
                        spec.expert_layers.size(), " layers"));
  if (spec.expert_count < (routed ? 1 : 0) || spec.expert_count > (routed ? experts::kMostExperts : 0))
    throw DataError(str("experts must be ", routed ? str("1..", experts::kMostExperts) : "0 without a router", ", got ",
                        spec.expert_count));
  if (spec.router == experts::RouterKind::domain && spec.expert_count != static_cast<std::int64_t>(spec.domains.size()))
    throw DataError(str("experts must be as many as domains (", spec.domains.size(), ") when routed by them, got ",
                        spec.expert_count));
  if (spec.router == experts::RouterKind::dense && spec.expert_count != 1)
    throw DataError(str("experts must be 1 with the router dense, got ", spec.expert_count));
  if (routed && (spec.top_k < 1 || spec.top_k > spec.expert_count))
    throw DataError(str("top_k must be 1..", spec.expert_count, ", got ", spec.top_k));
}

// What coterie.json holds.
json extension_of(const ModelSpec& spec) {
  return {{"format", "coterie-model"},
          {"version", kVersion},
          {"pooling", name_of(spec.pooling, kPoolings)},
          {"normalize", spec.normalize},
          {"max_length", spec.max_length},
          {"domains", spec.domains},
          {"router", name_of(spec.router)},
          {"experts", spec.expert_count},
          {"top_k", spec.top_k},
          {"heads", spec.heads},
          {"router_balance", spec.router_balance},
          {"expert_mlp", name_of(spec.expert_mlp, experts::kMlpNames)},
          {"shared_expert", spec.shared_expert},
          {"head",
           {{"kind", name_of(spec.head, experts::kHeadNames)},
            {"experts", spec.head_experts},
            {"inference", name_of(spec.head_inference, experts::kHeadInferenceNames)}}},
          {"expert_layers", spec.expert_layers},
          {"domain_tokens", spec.domain_tokens}};
}

void check(const ModelSpec& spec) {
  for (std::size_t i = 0; i < spec.expert_layers.size(); ++i) {
    const std::int64_t layer = spec.expert_layers[i];
    const bool ascending = i == 0 || layer > spec.expert_layers[i - 1];
    if (!ascending || layer < 0 || layer >= spec.bert.layers)
      throw DataError(str("expert_layers must ascend within 0..", spec.bert.layers - 1, ", got ", layer));
  }
  if (spec.domains.empty() && (spec.domain_tokens || spec.router == experts::RouterKind::domain))
    throw DataError("domains must not be empty in a model with domain tokens, or routed by domain");
  check_experts(spec);
  check_heads(spec);
  check_head(spec);
  if (std::set<std::string>(spec.domains.begin(), spec.domains.end()).size() != spec.domains.size())
    throw DataError("domains must differ, got one twice");
  if (spec.max_length < 3 || spec.max_length > spec.bert.max_position_embeddings)
    throw DataError(str("max_length must be 3..", spec.bert.max_position_embeddings, ", got ", spec.max_length));
}

}  // namespace

std::int32_t ModelSpec::domain(const std::string& name) const {
  const auto found = std::find(domains.begin(), domains.end(), name);
  if (found != domains.end()) return static_cast<std::int32_t>(found - domains.begin());
  throw ConfigError(str("model: domain must be one of ",
                        domains.empty() ? "none (the model knows no domains)" : joined(domains), ", got '", name, "'"));
}

std::string differences(const ModelSpec& earlier, const ModelSpec& now) {
  if (earlier == now) return "";
  const auto keys_of = [](const ModelSpec& spec) {
    json keys = json::parse(bert_config_json(spec.bert));
    keys.update(extension_of(spec));
    return keys;
  };
  const json before = keys_of(earlier);
  const json after = keys_of(now);
  std::string lines;
  for (const auto& [key, value] : after.items())
    if (before.at(key) != value)
      lines += str("\n  the model's ", key, " was ", before.at(key).dump(), ", got ", value.dump());
  return lines;
}

std::string spec_text(const ModelSpec& spec) { return bert_config_json(spec.bert) + extension_of(spec).dump(); }

void write_model_spec(FileOps& ops, const fs::path& folder, const ModelSpec& spec) {
  write_file_atomically(ops, folder / "config.json", bert_config_json(spec.bert));
  write_file_atomically(ops, folder / "coterie.json", extension_of(spec).dump(2) + "\n");
}

ModelSpec read_model_spec(const fs::path& folder) {
  const fs::path path = folder / "coterie.json";
  ModelSpec spec;
  spec.bert = read_bert_config(folder / "config.json");
  try {
    const json extension = json::parse(read_file(path));
    if (extension.at("format") != "coterie-model" || extension.at("version") != kVersion)
      throw DataError(str("format must be coterie-model, version ", kVersion, ", got ", extension.at("format").dump(),
                          ", ", extension.at("version").dump()));
    spec.pooling = kind_of<Pooling>(extension.at("pooling"), "pooling", kPoolings);
    extension.at("normalize").get_to(spec.normalize);
    spec.max_length = integer(extension.at("max_length"), "max_length");
    extension.at("domains").get_to(spec.domains);
    for (const json& layer : extension.at("expert_layers").get<std::vector<json>>())
      spec.expert_layers.push_back(integer(layer, "expert_layers"));
    extension.at("domain_tokens").get_to(spec.domain_tokens);
    spec.router = kind_of<experts::RouterKind>(extension.at("router"), "router", experts::kRouterNames);
    spec.expert_count = integer(extension.at("experts"), "experts");
    spec.top_k = integer(extension.at("top_k"), "top_k");
    spec.heads = integer(extension.at("heads"), "heads");
    extension.at("router_balance").get_to(spec.router_balance);
    spec.expert_mlp = kind_of<experts::MlpKind>(extension.at("expert_mlp"), "expert_mlp", experts::kMlpNames);
    extension.at("shared_expert").get_to(spec.shared_expert);
    const json& head = extension.at("head");
    spec.head = kind_of<experts::HeadKind>(head.at("kind"), "head.kind", experts::kHeadNames);
    spec.head_experts = integer(head.at("experts"), "head.experts");
    spec.head_inference =
        kind_of<experts::HeadInference>(head.at("inference"), "head.inference", experts::kHeadInferenceNames);
    check(spec);
  } catch (const json::exception& error) {
    throw DataError(str("model: ", error.what(), " (", path.string(), ")"));
  } catch (const DataError& error) {
    throw DataError(str("model: ", error.what(), " (", path.string(), ")"));
  }
  return spec;
}

}  // namespace coterie::model
