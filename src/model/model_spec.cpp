#include "model/model_spec.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"

namespace coterie::model {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr const char* kPoolings[] = {"mean", "cls", "max"};

Pooling pooling_of(const std::string& name) {
  const auto found = std::find(std::begin(kPoolings), std::end(kPoolings), name);
  if (found == std::end(kPoolings)) throw DataError(str("pooling must be one of mean, cls, max, got '", name, "'"));
  return static_cast<Pooling>(found - std::begin(kPoolings));
}

// The JSON library would cut a fraction off.
std::int64_t integer(const json& value, const char* key) {
  if (!value.is_number_integer()) throw DataError(str(key, " must be of integers, got ", value.dump()));
  return value.get<std::int64_t>();
}

// A learned route does not follow from the domain: such a model could be neither run nor split into dense ones here.
const char* router_of(const ModelSpec& spec) { return spec.expert_layers.empty() ? "none" : "domain"; }

// What coterie.json holds.
json extension_of(const ModelSpec& spec) {
  return {{"format", "coterie-model"},
          {"version", kVersion},
          {"pooling", kPoolings[static_cast<int>(spec.pooling)]},
          {"normalize", spec.normalize},
          {"max_length", spec.max_length},
          {"domains", spec.domains},
          {"router", router_of(spec)},
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
  if (spec.domains.empty() && (spec.domain_tokens || !spec.expert_layers.empty()))
    throw DataError("domains must not be empty in a model with experts or domain tokens");
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
    spec.pooling = pooling_of(extension.at("pooling"));
    extension.at("normalize").get_to(spec.normalize);
    spec.max_length = integer(extension.at("max_length"), "max_length");
    extension.at("domains").get_to(spec.domains);
    for (const json& layer : extension.at("expert_layers").get<std::vector<json>>())
      spec.expert_layers.push_back(integer(layer, "expert_layers"));
    extension.at("domain_tokens").get_to(spec.domain_tokens);
    if (const std::string router = extension.at("router"); router != "none" && router != "domain")
      throw DataError(str("router must be one of none, domain in this version, got '", router, "'"));
    check(spec);
  } catch (const json::exception& error) {
    throw DataError(str("model: ", error.what(), " (", path.string(), ")"));
  } catch (const DataError& error) {
    throw DataError(str("model: ", error.what(), " (", path.string(), ")"));
  }
  return spec;
}

}  // namespace coterie::model
