// The files of a tokenizer: tokenizer.json, vocab.txt, tokenizer_config.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/wordpiece.h"

namespace coterie::data {

/// How text is normalised before it is cut into words.
struct TokenizerOptions {
  bool clean_text = true;             ///< drop control characters
  bool handle_chinese_chars = true;   ///< each Chinese character is a word
  bool lowercase = true;              ///< lower case
  std::optional<bool> strip_accents;  ///< decompose and drop nonspacing marks; nothing: as `lowercase`
};

/// What the files of a tokenizer say, checked: ids 0..n-1, each given to one token, no token twice.
struct WordPieceVocabulary {
  std::vector<Piece> pieces;          ///< the model's vocabulary, by id
  std::vector<Piece> added;           ///< matched in raw text; mostly also in `pieces`
  std::int64_t size = 0;              ///< one more than the highest id
  std::string unk_token = "[UNK]";    ///< what a word becomes that cannot be cut
  std::string prefix = "##";          ///< stands in front of pieces that do not begin a word
  std::int64_t max_word_chars = 100;  ///< a longer word is unknown
  TokenizerOptions options;

  /// The id of a token, or -1.
  [[nodiscard]] std::int32_t id_of(std::string_view token) const;
};

/// Reads a checkpoint folder: tokenizer.json, else vocab.txt; tokenizer_config.json, where there is one, goes before
/// tokenizer.json in do_lower_case, strip_accents and tokenize_chinese_chars, as in transformers.
///
/// What tokenizer.json says of truncation, padding and decoding is not read: `encode` does none of it.
///
/// @throws DataError if a file is malformed or describes another kind of tokenizer; IoError if one cannot be read
[[nodiscard]] WordPieceVocabulary read_tokenizer_directory(const std::filesystem::path& directory);

/// Reads a vocab.txt, one token a line, ids counted from 0; white space at the end of a line does not count.
///
/// The added tokens are those of [PAD], [UNK], [CLS], [SEP], [MASK] that occur.
///
/// @throws DataError if the file is malformed; IoError if it cannot be read
[[nodiscard]] WordPieceVocabulary read_vocabulary(const std::filesystem::path& path, TokenizerOptions options);

}  // namespace coterie::data
