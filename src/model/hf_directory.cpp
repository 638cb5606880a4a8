#include "model/hf_directory.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/log.h"
#include "model/json_file.h"
#include "model/model_path.h"

namespace coterie::model {
namespace {

struct PoolingName {
  std::string_view key;   // of the boolean in the old form
  std::string_view mode;  // in the form since sentence-transformers 5.4
  std::optional<Pooling> pooling;
};

constexpr auto kPoolings = std::to_array<PoolingName>({
    {"pooling_mode_cls_token", "cls", Pooling::cls},
    {"pooling_mode_mean_tokens", "mean", Pooling::mean},
    {"pooling_mode_max_tokens", "max", Pooling::max},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", std::nullopt},
    {"pooling_mode_weightedmean_tokens", "weightedmean", std::nullopt},
    {"pooling_mode_lasttoken", "lasttoken", std::nullopt},
});

struct Module {
  std::string type;  // the class without its Python package
  fs::path folder;
};

std::vector<Module> read_modules(const fs::path& directory) {
  const fs::path file = directory / "modules.json";
  const nlohmann::json list = read_json(file);
  if (!list.is_array())
    throw DataError(str("json: must be a list of modules, got ", list.type_name(), " (", file.string(), ")"));
  std::vector<Module> out;
  for (const nlohmann::json& element : list) {
    const JsonObject object(element, file);
    const std::string type = object.text("type", "");
    if (!type.starts_with("sentence_transformers.")) object.reject("type", "a class of sentence_transformers");
    const std::string folder = object.text("path", "");
    const std::string name = type.substr(type.rfind('.') + 1);
    // A Normalize module has no files, and an empty folder is lost in a git repository.
    const bool here = folder.empty() || name == "Normalize";
    out.push_back(
        {name, here ? directory : resolve_in_directory(directory, folder, str(file.string(), ", key 'path'"))});
  }
  return out;
}

// Throws unless the modules are Transformer, Pooling and perhaps Normalize.
void check_modules(const std::vector<Module>& modules, const fs::path& directory) {
  std::string found;
  for (const Module& module : modules) found += str(found.empty() ? "" : ", ", module.type);
  const std::string file = (directory / "modules.json").string();
  for (const Module& module : modules)
    if (module.type != "Transformer" && module.type != "Pooling" && module.type != "Normalize")
      throw DataError(str("model: modules Transformer, Pooling and Normalize are supported, got ", excerpt(module.type),
                          " (", file, ", key 'type')"));
  if (found != "Transformer, Pooling" && found != "Transformer, Pooling, Normalize")
    throw DataError(str("model: modules must be Transformer, Pooling and at most one Normalize in this order, got ",
                        excerpt(found), " (", file, ")"));
}

Pooling read_pooling_mode(const JsonObject& object) {
  const std::string mode = object.text("pooling_mode", "");
  for (const PoolingName& known : kPoolings)
    if (known.mode == mode && known.pooling) return *known.pooling;
  object.reject("pooling_mode", "one of 'cls', 'mean', 'max'");
}

Pooling read_pooling_flags(const JsonObject& object, const fs::path& file) {
  std::string chosen;
  std::optional<Pooling> pooling;
  std::size_t count = 0;
  for (const PoolingName& known : kPoolings) {
    // sentence-transformers takes the mean unless the file says otherwise.
    if (!object.flag(std::string(known.key), known.pooling == Pooling::mean)) continue;
    ++count;
    chosen += str(chosen.empty() ? "" : ", ", known.key);
    pooling = known.pooling;
  }
  if (count != 1)
    throw DataError(str("model: exactly one pooling mode must be true, got ", count == 0 ? "none" : chosen, " (",
                        file.string(), ")"));
  if (!pooling)
    throw DataError(str("model: pooling must be cls, mean or max, got ", chosen, " (", file.string(), ", key ",
                        excerpt(chosen), ")"));
  return *pooling;
}

Pooling read_pooling(const fs::path& folder, std::int64_t hidden_size) {
  const fs::path file = folder / "config.json";
  const JsonObject object(read_json(file), file);
  for (const char* key : {"word_embedding_dimension", "embedding_dimension"})
    if (object.find(key) != nullptr && object.integer(key, 0, 1, INT64_MAX) != hidden_size)
      object.reject(key, str("hidden_size of the transformer (", hidden_size, ")"));
  return object.find("pooling_mode") != nullptr ? read_pooling_mode(object) : read_pooling_flags(object, file);
}

std::int64_t read_max_length(const fs::path& transformer, const BertConfig& config) {
  const fs::path file = transformer / "sentence_bert_config.json";
  if (!file_exists(file)) return config.max_position_embeddings;
  const JsonObject object(read_json(file), file);
  if (object.flag("do_lower_case", false))
    log::warn(str("model: do_lower_case is left to the tokenizer's own setting (", file.string(), ")"));
  const nlohmann::json* length = object.find("max_seq_length");
  if (length == nullptr || length->is_null()) return config.max_position_embeddings;
  // Two places are [CLS] and [SEP].
  return object.integer("max_seq_length", 0, 3, config.max_position_embeddings);
}

void warn_of_prompt(const fs::path& directory) {
  const fs::path file = directory / "config_sentence_transformers.json";
  if (!file_exists(file)) return;
  const JsonObject object(read_json(file), file);
  const nlohmann::json* prompt = object.find("default_prompt_name");
  if (prompt != nullptr && !prompt->is_null())
    log::warn(str("model: default prompt ", excerpt(object.text("default_prompt_name", "")),
                  " is not put before texts (", file.string(), ")"));
}

}  // namespace

HfDirectory read_hf_directory(const fs::path& directory) {
  if (!file_exists(directory)) throw IoError(str("model: cannot read '", directory.string(), "': no such directory"));
  if (std::error_code error; !fs::is_directory(directory, error))
    throw IoError(str("model: cannot read '", directory.string(), "': not a directory"));
  HfDirectory out;
  if (!file_exists(directory / "modules.json")) {
    out.config = read_bert_config(directory / "config.json");
    out.max_length = out.config.max_position_embeddings;
    out.transformer = directory;
    return out;
  }
  const std::vector<Module> modules = read_modules(directory);
  check_modules(modules, directory);
  out.transformer = modules[0].folder;
  out.config = read_bert_config(out.transformer / "config.json");
  out.pooling = read_pooling(modules[1].folder, out.config.hidden_size);
  out.normalize = modules.size() == 3;
  out.max_length = read_max_length(out.transformer, out.config);
  warn_of_prompt(directory);
  return out;
}

}  // namespace coterie::model
