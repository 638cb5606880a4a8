// Writes a model as a sentence-transformers directory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/file_ops.h"
#include "model/bert_config.h"
#include "model/hf_directory.h"

namespace coterie::model {

/// A dense sentence-embedding model, complete.
struct DenseModel {
  BertConfig config;
  Pooling pooling = Pooling::mean;
  bool normalize = true;
  std::int64_t max_length = 0;
  std::map<std::string, at::Tensor> weights;  ///< exactly the tensors of `bert_tensors(config)`, fp32
  fs::path tokenizer;                         ///< folder with the tokenizer files to take over
  std::string model_card;                     ///< content of README.md
};

/// Says at the start of long work what `write_st_directory` would say of its output at the end.
/// @throws ConfigError if `out` holds something; IoError unless its folder exists and may be written
void expect_vacant(const fs::path& out);

/// Writes a directory that sentence-transformers of any version and TEI load: the module classes under their old names,
/// pooling as booleans. It appears whole or not at all.
///
/// A pooler is not written; transformers then makes up a random one with a warning, which no pooling here uses.
///
/// @param out  must not exist, or be an empty directory
/// @throws ConfigError if `out` holds something; IoError if it cannot be written; DataError if the tokenizer files are
///   wrong; ShapeError if the weights do not fit the config
/// @par Source
/// Layout of sentence-transformers 2 (huggingface/sentence-transformers), which TEI demands.
void write_st_directory(FileOps& ops, const fs::path& out, const DenseModel& model);

}  // namespace coterie::model
