// A model small enough that whole runs take a second: spec, weights, and its Hugging Face directory.
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file_ops.h"
#include "model/bert_config.h"
#include "model/model_spec.h"
#include "model/safetensors_writer.h"
#include "model/weights.h"

namespace coterie::test {

/// The words of the tiny vocabulary behind its five special tokens.
inline std::vector<std::string> tiny_words() {
  std::vector<std::string> words = {".", ",", "graph", "expert", "model", "paper", "cell", "star", "gene"};
  for (char letter = 'a'; letter <= 'z'; ++letter) words.emplace_back(1, letter);
  return words;
}

inline std::vector<std::string> tiny_vocabulary() {
  std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (std::string& word : tiny_words()) tokens.push_back(std::move(word));
  return tokens;
}

inline constexpr std::int64_t kTinyCls = 2;

inline model::BertConfig tiny_bert() {
  model::BertConfig bert;
  bert.vocab_size = 40;
  bert.hidden_size = 8;
  bert.layers = 2;
  bert.heads = 2;
  bert.intermediate_size = 16;
  bert.max_position_embeddings = 16;
  return bert;
}

/// @param domains  empty: a dense model
/// @param layers   with experts, one for each domain
inline model::ModelSpec tiny_spec(std::vector<std::string> domains = {}, std::vector<std::int64_t> layers = {}) {
  model::ModelSpec spec;
  spec.bert = tiny_bert();
  spec.max_length = spec.bert.max_position_embeddings;
  spec.domain_tokens = !domains.empty();
  spec.domains = std::move(domains);
  if (!layers.empty()) {
    spec.router = experts::RouterKind::domain;
    spec.expert_count = static_cast<std::int64_t>(spec.domains.size());
  }
  spec.expert_layers = std::move(layers);
  return spec;
}

/// Weights of all tensors and all experts of `spec`, each different: a function of spec and seed.
inline model::Weights tiny_weights(const model::ModelSpec& spec, std::uint64_t seed,
                                   at::ScalarType dtype = at::kFloat) {
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  model::Weights weights;
  for (const model::TensorSpec& tensor : model::model_tensors(spec, model::all_experts(spec))) {
    const at::Tensor noise = at::randn(tensor.shape, generator, at::kDouble);
    const bool scale = tensor.name.ends_with("LayerNorm.weight");
    weights[tensor.name] = (scale ? 1.0 + 0.1 * noise : 0.4 * noise).to(dtype);
  }
  return weights;
}

/// Writes a plain Hugging Face directory: config.json, model.safetensors, vocab.txt and tokenizer_config.json.
/// @return the folder
inline std::filesystem::path write_tiny_checkpoint(const std::filesystem::path& folder, std::uint64_t seed = 1) {
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream out(folder / name, std::ios::binary);
    if (!(out << text)) throw IoError(str("test: cannot write ", (folder / name).string()));
  };
  write("config.json", model::bert_config_json(tiny_bert()));
  std::string tokens;
  for (const std::string& token : tiny_vocabulary()) tokens += token + "\n";
  write("vocab.txt", tokens);
  write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer", "do_lower_case": true})");
  std::vector<model::NamedTensor> tensors;
  for (const auto& [name, tensor] : tiny_weights(tiny_spec(), seed)) tensors.push_back({name, tensor});
  (void)model::write_safetensors(*real_file_ops(), folder / "model.safetensors", tensors);
  return folder;
}

}  // namespace coterie::test
