#include "model/st_directory.h"

#include <utility>
#include <vector>

#include "base/error.h"
#include "base/excerpt.h"
#include "model/json_file.h"
#include "model/model_path.h"
#include "model/safetensors_writer.h"
#include "model/text_file.h"
#include "model/tokenizer_files.h"

namespace coterie::model {
namespace {

using nlohmann::ordered_json;

constexpr const char* kPoolingFolder = "1_Pooling";
constexpr const char* kNormalizeFolder = "2_Normalize";

std::string modules_json(const DenseModel& model) {
  ordered_json out = ordered_json::array();
  const auto add = [&](const char* type, const char* folder) {
    const auto index = out.size();
    out.push_back({{"idx", index},
                   {"name", std::to_string(index)},
                   {"path", folder},
                   {"type", str("sentence_transformers.models.", type)}});
  };
  add("Transformer", "");
  add("Pooling", kPoolingFolder);
  if (model.normalize) add("Normalize", kNormalizeFolder);
  return out.dump(2) + "\n";
}

std::string pooling_json(const DenseModel& model) {
  const ordered_json out = {
      {"word_embedding_dimension", model.config.hidden_size},
      {"pooling_mode_cls_token", model.pooling == Pooling::cls},
      {"pooling_mode_mean_tokens", model.pooling == Pooling::mean},
      {"pooling_mode_max_tokens", model.pooling == Pooling::max},
      {"pooling_mode_mean_sqrt_len_tokens", false},
      {"pooling_mode_weightedmean_tokens", false},
      {"pooling_mode_lasttoken", false},
      {"include_prompt", true},
  };
  return out.dump(2) + "\n";
}

std::string length_json(const DenseModel& model) {
  // Upper and lower case are the tokenizer's business.
  return ordered_json({{"max_seq_length", model.max_length}, {"do_lower_case", false}}).dump(2) + "\n";
}

std::string settings_json() {
  const ordered_json out = {
      // The version whose layout this is, not one that ran: a reader warns when it is older.
      {"__version__", {{"sentence_transformers", "2.0.0"}}},
      {"prompts", ordered_json::object()},
      {"default_prompt_name", nullptr},
      {"similarity_fn_name", "cosine"},
      {"model_type", "SentenceTransformer"},
  };
  return out.dump(2) + "\n";
}

std::vector<NamedTensor> checked_weights(const DenseModel& model) {
  std::vector<NamedTensor> out;
  for (const TensorSpec& spec : bert_tensors(model.config)) {
    const auto found = model.weights.find(spec.name);
    COTERIE_CHECK(ShapeError, found != model.weights.end(), "export: tensor ", excerpt(spec.name), " is missing");
    const at::Tensor& tensor = found->second;
    COTERIE_CHECK(ShapeError, tensor.sizes() == at::IntArrayRef(spec.shape), "export: tensor ", excerpt(spec.name),
                  " must have shape ", at::IntArrayRef(spec.shape), ", got ", tensor.sizes());
    COTERIE_CHECK(ShapeError, tensor.scalar_type() == at::kFloat, "export: tensor ", excerpt(spec.name),
                  " must be fp32, got ", tensor.scalar_type());
    out.push_back({spec.name, tensor});
  }
  COTERIE_CHECK(ShapeError, out.size() == model.weights.size(), "export: the config has ", out.size(), " tensors, got ",
                model.weights.size());
  return out;
}

// Without a trailing slash, which would leave no name.
fs::path target_of(const fs::path& out) {
  return out.has_filename() ? out.lexically_normal() : out.parent_path().lexically_normal();
}

void write_files(FileOps& ops, const fs::path& folder, const DenseModel& model,
                 const std::map<std::string, std::string>& files) {
  ops.make_directory(folder);
  ops.make_directory(folder / kPoolingFolder);
  write_text(ops, folder / kPoolingFolder / "config.json", pooling_json(model));
  ops.sync_directory(folder / kPoolingFolder);
  if (model.normalize) ops.make_directory(folder / kNormalizeFolder);
  for (const auto& [name, content] : files) write_text(ops, folder / name, content);
  write_safetensors(ops, folder / "model.safetensors", checked_weights(model));
  ops.sync_directory(folder);
}

}  // namespace

void expect_vacant(const fs::path& out) {
  const fs::path target = target_of(out);
  if (!file_exists(target)) return expect_folder_writable(target);
  std::error_code error;
  const bool vacant = fs::is_directory(target, error) && fs::is_empty(target, error);
  if (error) throw IoError(str("export: cannot look at '", target.string(), "': ", error.message()));
  if (!vacant)
    throw ConfigError(str("export: the output must not exist or be an empty directory, got '", target.string(), "'"));
  expect_folder_writable(target);
}

void write_st_directory(FileOps& ops, const fs::path& out, const DenseModel& model) {
  const fs::path target = target_of(out);
  expect_vacant(target);
  auto files = export_tokenizer_files(model.tokenizer, model.max_length);
  files["modules.json"] = modules_json(model);
  files["config.json"] = bert_config_json(model.config);
  files["sentence_bert_config.json"] = length_json(model);
  files["config_sentence_transformers.json"] = settings_json();
  files["README.md"] = model.model_card;

  const fs::path parent = target.has_parent_path() ? target.parent_path() : fs::path(".");
  const fs::path temporary = parent / str(".tmp-", target.filename().string());
  ops.remove_all(temporary);
  try {
    write_files(ops, temporary, model, files);
    ops.rename(temporary, target);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
  ops.sync_directory(parent);
}

}  // namespace coterie::model
