// The sizes and settings of a BERT encoder, as `config.json` of a Hugging Face checkpoint holds them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/activation.h"

namespace coterie::model {

namespace fs = std::filesystem;

/// A BERT encoder with absolute positions. The defaults are those of a key that is missing in the file.
struct BertConfig {
  std::int64_t vocab_size = 30522;
  std::int64_t hidden_size = 768;
  std::int64_t layers = 12;
  std::int64_t heads = 12;
  std::int64_t intermediate_size = 3072;
  kernels::Activation activation = kernels::Activation::gelu;
  double hidden_dropout = 0.1;
  double attention_dropout = 0.1;
  std::int64_t max_position_embeddings = 512;
  std::int64_t type_vocab_size = 2;
  double layer_norm_eps = 1e-12;
  std::int64_t pad_token_id = 0;

  bool operator==(const BertConfig&) const = default;
};

/// Reads `config.json`.
/// @throws IoError if it cannot be read; DataError naming file and key if it is not JSON, a value is out of range, or
///   the model is none that we can run: another `model_type`, a decoder, relative positions, another activation
[[nodiscard]] BertConfig read_bert_config(const fs::path& file);

/// The content of a `config.json` that reads back to the same config and that transformers and TEI load.
[[nodiscard]] std::string bert_config_json(const BertConfig& config);

/// Name and shape of one parameter.
struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;

  bool operator==(const TensorSpec&) const = default;
};

/// The parameters of the encoder (no pooler) by their Hugging Face names without prefix: embeddings, then each layer.
[[nodiscard]] std::vector<TensorSpec> bert_tensors(const BertConfig& config);

}  // namespace coterie::model
