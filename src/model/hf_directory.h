// Reads what a Hugging Face or sentence-transformers directory says about a model: sizes, pooling, normalisation.
#pragma once

#include <cstdint>
#include <filesystem>

#include "kernels/pooling.h"
#include "model/bert_config.h"

namespace coterie::model {

namespace fs = std::filesystem;

using kernels::Pooling;

/// A model directory without its weights.
struct HfDirectory {
  BertConfig config;
  Pooling pooling = Pooling::mean;
  bool normalize = true;        ///< embeddings are divided by their L2 norm
  std::int64_t max_length = 0;  ///< longer texts are cut, [CLS] and [SEP] counted
  fs::path transformer;         ///< the folder with config.json, weights and tokenizer: the directory or one in it
};

/// Reads a directory.
///
/// With `modules.json` (sentence-transformers) pooling, normalisation and length come from its modules, which must be
/// Transformer, Pooling and at most one Normalize. Without it, as in a plain Hugging Face directory: mean pooling,
/// normalised, and as many tokens as the position table has.
///
/// @throws IoError if a file cannot be read; DataError naming file and key if one is wrong, or a module or pooling mode
///   is not supported
[[nodiscard]] HfDirectory read_hf_directory(const fs::path& directory);

}  // namespace coterie::model
