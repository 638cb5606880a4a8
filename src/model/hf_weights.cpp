#include "model/hf_weights.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/log.h"
#include "model/json_file.h"
#include "model/model_path.h"
#include "model/safetensors.h"

namespace coterie::model {
namespace {

constexpr std::string_view kPrefix = "bert.";
constexpr std::size_t kMaxListed = 8;
constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

using WeightMap = std::map<std::string, std::string>;

// The name that transformers gives the tensor today, without prefix. Only the suffix is renamed: "gamma" elsewhere in a
// name belongs to somebody's own module.
std::string canonical_name(std::string_view name) {
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  constexpr std::string_view kGamma = "LayerNorm.gamma";
  constexpr std::string_view kBeta = "LayerNorm.beta";
  if (name.ends_with(kGamma)) return std::string(name.substr(0, name.size() - kGamma.size())) + "LayerNorm.weight";
  if (name.ends_with(kBeta)) return std::string(name.substr(0, name.size() - kBeta.size())) + "LayerNorm.bias";
  return std::string(name);
}

bool is_known_extra(std::string_view name) {
  return name == "embeddings.position_ids" || name == "embeddings.token_type_ids" || name.starts_with("cls.") ||
         name.starts_with("pooler.");
}

bool is_float(at::ScalarType type) {
  return type == at::ScalarType::Half || type == at::ScalarType::BFloat16 || type == at::ScalarType::Float ||
         type == at::ScalarType::Double;
}

// Joins the first few; says how many are left out.
std::string listed(const std::vector<std::string>& items) {
  const std::string out = joined(std::span(items).first(std::min(items.size(), kMaxListed)));
  return items.size() > kMaxListed ? str(out, " and ", items.size() - kMaxListed, " more") : out;
}

// Gathers the tensors of a config from one file after the other.
class Collector {
 public:
  Collector(const BertConfig& config, fs::path source) : source_(std::move(source)), specs_(bert_tensors(config)) {
    for (const TensorSpec& spec : specs_) wanted_.emplace(spec.name, &spec);
  }

  void add(const SafetensorsFile& file, const std::string& name) {
    const std::string canonical = canonical_name(name);
    const auto wanted = wanted_.find(canonical);
    if (wanted == wanted_.end()) return add_extra(name, canonical);
    const TensorEntry& entry = file.entry(name);
    if (!found_.insert(canonical).second)
      throw DataError(str("model: tensor ", excerpt(canonical), " must be stored once, got ", excerpt(name),
                          " as well (", file.path().string(), ")"));
    if (!is_float(entry.dtype))
      throw DataError(str("model: weights must be F16, BF16, F32 or F64, got ", *dtype_name(entry.dtype), " (",
                          file.path().string(), ", tensor ", excerpt(name), ")"));
    if (entry.shape != wanted->second->shape)
      // Qualified: with tensor types among the arguments torch's own `str` is found too.
      problems_.push_back(coterie::str(excerpt(name), " has shape ", at::IntArrayRef(entry.shape),
                                       ", the config wants ", at::IntArrayRef(wanted->second->shape)));
    // Once something is wrong only the list of problems is completed.
    if (problems_.empty()) weights_.emplace(canonical, file.read(name, at::ScalarType::Float));
  }

  std::map<std::string, at::Tensor> take() {
    for (const TensorSpec& spec : specs_)
      if (!found_.contains(spec.name)) problems_.push_back(excerpt(spec.name) + " is missing");
    if (!problems_.empty()) {
      const std::string hint = found_.empty() && !others_.empty() ? str("; the file has ", listed(others_)) : "";
      throw DataError(str("model: ", problems_.size(), " tensors do not fit the config: ", listed(problems_), hint,
                          " (", source_.string(), ")"));
    }
    if (!strangers_.empty())
      throw DataError(str("model: ", strangers_.size(), " tensors of the encoder are unknown to the config: ",
                          listed(strangers_), " (", source_.string(), ")"));
    if (!others_.empty())
      log::warn(str("model: ", others_.size(), " tensors outside the encoder are left out: ", listed(others_), " (",
                    source_.string(), ")"));
    return std::move(weights_);
  }

 private:
  void add_extra(const std::string& name, const std::string& canonical) {
    if (is_known_extra(canonical)) return;
    const bool inside = canonical.starts_with("embeddings.") || canonical.starts_with("encoder.");
    (inside ? strangers_ : others_).push_back(excerpt(name));
  }

  fs::path source_;
  std::vector<TensorSpec> specs_;
  std::map<std::string_view, const TensorSpec*> wanted_;
  std::set<std::string> found_;
  std::vector<std::string> problems_;
  std::vector<std::string> strangers_;  // inside the encoder, but not of this config
  std::vector<std::string> others_;     // outside the encoder
  std::map<std::string, at::Tensor> weights_;
};

WeightMap read_weight_map(const fs::path& index) {
  const JsonObject object(read_json(index), index);
  const nlohmann::json* entries = object.find("weight_map");
  if (entries == nullptr || !entries->is_object() || entries->empty())
    object.reject("weight_map", "an object that maps tensors to files");
  WeightMap out;
  for (const auto& [tensor, file] : entries->items()) {
    if (!file.is_string())
      throw DataError(str("model: weight_map must map tensors to file names, got ", file.type_name(), " (",
                          index.string(), ", key ", excerpt(tensor), ")"));
    out.emplace(tensor, file.get<std::string>());
  }
  return out;
}

// Resolves every shard before the first is opened.
std::map<std::string, fs::path> resolve_shards(const WeightMap& weight_map, const fs::path& index) {
  std::map<std::string, fs::path> out;
  for (const auto& [tensor, shard] : weight_map) {
    if (out.contains(shard)) continue;
    const std::string said_by = str(index.string(), ", key ", excerpt(tensor));
    const fs::path path = resolve_in_directory(index.parent_path(), shard, said_by);
    if (!shard.ends_with(".safetensors"))
      throw DataError(str("model: a shard must be a .safetensors file, got ", excerpt(shard), " (", said_by, ")"));
    out.emplace(shard, path);
  }
  return out;
}

std::map<std::string, at::Tensor> read_sharded(const fs::path& index, const BertConfig& config) {
  const WeightMap weight_map = read_weight_map(index);
  const auto shards = resolve_shards(weight_map, index);
  Collector collector(config, index);
  for (const auto& [shard, path] : shards) {
    const SafetensorsFile file(path);
    for (const std::string& name : file.names())
      if (const auto entry = weight_map.find(name); entry != weight_map.end() && entry->second != shard)
        throw DataError(str("model: tensor ", excerpt(name), " must be in one shard, got ", excerpt(entry->second),
                            " and ", excerpt(shard), " (", index.string(), ")"));
    for (const auto& [tensor, where] : weight_map) {
      if (where != shard) continue;
      if (!file.contains(tensor))
        throw DataError(str("model: tensor ", excerpt(tensor), " is absent from the shard ", excerpt(shard), " (",
                            index.string(), ")"));
      collector.add(file, tensor);
    }
  }
  return collector.take();
}

std::map<std::string, at::Tensor> read_single(const fs::path& path, const BertConfig& config) {
  const SafetensorsFile file(path);
  Collector collector(config, path);
  for (const std::string& name : file.names()) collector.add(file, name);
  return collector.take();
}

}  // namespace

std::map<std::string, at::Tensor> read_bert_weights(const fs::path& folder, const BertConfig& config) {
  const fs::path single = folder / kSingleFile;
  if (file_exists(single)) return read_single(single, config);
  const fs::path index = folder / kIndexFile;
  if (file_exists(index)) return read_sharded(index, config);
  for (const char* pickle : {"pytorch_model.bin", "pytorch_model.bin.index.json"})
    if (file_exists(folder / pickle))
      throw DataError(str("model: weights must be safetensors, got only ", pickle,
                          ", a pickle, whose loading may run code;",
                          " convert it: python3 -c \"from transformers import AutoModel;",
                          " AutoModel.from_pretrained('", folder.string(), "').save_pretrained('", folder.string(),
                          "', safe_serialization=True)\" (", folder.string(), ")"));
  throw DataError(
      str("model: no weights, neither model.safetensors nor model.safetensors.index.json (", folder.string(), ")"));
}

std::vector<fs::path> bert_weight_files(const fs::path& folder) {
  if (file_exists(folder / kSingleFile)) return {folder / kSingleFile};
  const fs::path index = folder / kIndexFile;
  std::vector<fs::path> files = {index};
  for (const auto& [shard, path] : resolve_shards(read_weight_map(index), index)) files.push_back(path);
  return files;
}

}  // namespace coterie::model
