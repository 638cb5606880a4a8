// Reads the weights of a BERT checkpoint in safetensors form.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "model/bert_config.h"

namespace coterie::model {

namespace fs = std::filesystem;

/// Reads all tensors of `bert_tensors(config)` in fp32, by those names.
///
/// From `model.safetensors`, or else from the shards that `model.safetensors.index.json` lists. Names may carry the
/// prefix `bert.`, LayerNorms may have gamma and beta; fp16, bf16 and fp64 are converted. Pooler, pretraining heads and
/// stored position ids are left out; so is, with a warning, anything else outside `embeddings.` and `encoder.`. An
/// unknown tensor inside these two is an error, because the config then describes another model.
///
/// @param folder  with the weights; `HfDirectory::transformer`
/// @throws IoError if a file cannot be read; DataError naming file and tensor for every broken rule, with all missing
///   and mis-shaped tensors in one
[[nodiscard]] std::map<std::string, at::Tensor> read_bert_weights(const fs::path& folder, const BertConfig& config);

/// The files that `read_bert_weights` reads: the weights, or the index and its shards.
/// @throws as `read_bert_weights` does for the index
[[nodiscard]] std::vector<fs::path> bert_weight_files(const fs::path& folder);

}  // namespace coterie::model
