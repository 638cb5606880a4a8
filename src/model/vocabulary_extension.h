// New words for a model's vocabulary: their ids, their first embeddings and the tokenizer files that know them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/tokenizer.h"

namespace coterie::model {

namespace fs = std::filesystem;

/// Words that get ids behind those of a tokenizer, in order.
struct VocabularyExtension {
  std::vector<std::string> tokens;
  std::int64_t first_id = 0;                      ///< of the first token
  std::vector<std::vector<std::int32_t>> pieces;  ///< the ids that each word was cut into before
  [[nodiscard]] bool empty() const { return tokens.empty(); }
};

/// Reads a file of words, one a line; empty lines do not count.
///
/// A word is one that the tokenizer finds whole in text: as its normaliser leaves words (lower case where that is what
/// it does), without blanks and punctuation.
///
/// @param folder  of the tokenizer that is extended
/// @throws DataError with file and line if a word is known already, given twice, or would never be found; IoError
[[nodiscard]] VocabularyExtension read_extension(const fs::path& words, const fs::path& folder);

/// Word embeddings with rows for the new tokens: each the mean of the rows of its pieces.
/// @param rows_VD  [V, D]
/// @return         [max(V, first_id + tokens), D]
[[nodiscard]] at::Tensor extend_rows(const at::Tensor& rows_VD, const VocabularyExtension& extension);

/// Adds the tokens to `tokenizer.json` and `vocab.txt`, as far as they are there.
/// @param files  name -> content, as `read_tokenizer_files`
/// @param folder  for errors
/// @throws DataError if tokenizer.json is not one
void extend_files(std::map<std::string, std::string>& files, const VocabularyExtension& extension,
                  const fs::path& folder);

}  // namespace coterie::model
