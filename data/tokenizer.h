// The BERT WordPiece tokenizer: text in, token ids out, id for id what Hugging Face tokenizers give.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/unicode.h"
#include "data/wordpiece.h"
#include "data/wordpiece_vocabulary.h"

namespace coterie::data {

/// Turns text into token ids. All of it is constant after construction: one tokenizer may serve many threads.
///
/// A domain token that training adds to the model is not in this vocabulary, so text can never contain one.
///
/// @par Source
/// tokenizers 0.23 (normalizers/bert.rs, pre_tokenizers/bert.rs, models/wordpiece), with its mixture of Unicode
/// versions.
class Tokenizer {
 public:
  /// Reads a checkpoint folder, as `read_tokenizer_directory` does.
  /// @throws DataError if a file is malformed; IoError if one cannot be read
  [[nodiscard]] static Tokenizer from_directory(const std::filesystem::path& directory);
  /// The same with more words behind its vocabulary, their ids in order.
  /// @param more  distinct, none of them in the vocabulary
  [[nodiscard]] static Tokenizer from_directory(const std::filesystem::path& directory,
                                                const std::vector<std::string>& more);

  /// Reads a vocab.txt, as `read_vocabulary` does.
  /// @throws DataError if it is malformed; IoError if it cannot be read
  [[nodiscard]] static Tokenizer from_vocabulary(const std::filesystem::path& vocab_txt, TokenizerOptions options);

  /// The ids of a text, [CLS] in front and [SEP] behind, not truncated.
  ///
  /// Added tokens written out in the text (`[SEP]`) become their ids. Bytes that are not UTF-8 count as U+FFFD, one for
  /// each maximal bad subpart.
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view utf8) const;

  /// One more than the highest id.
  [[nodiscard]] std::int64_t vocabulary_size() const { return size_; }
  [[nodiscard]] std::int32_t cls_id() const { return cls_id_; }
  [[nodiscard]] std::int32_t sep_id() const { return sep_id_; }
  /// -1 if the vocabulary has no [PAD].
  [[nodiscard]] std::int32_t pad_id() const { return pad_id_; }
  [[nodiscard]] std::int32_t unk_id() const { return unk_id_; }
  /// -1 if the vocabulary has no [MASK].
  [[nodiscard]] std::int32_t mask_id() const { return mask_id_; }

  /// SHA-256 over vocabulary and options, 64 hexadecimal digits: ids are of this tokenizer only if it is the same.
  [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }

 private:
  class Reading;

  /// What an ASCII character is; `other` is the first byte of a longer one.
  enum class Ascii : std::uint8_t { word, white, punctuation, removed, other };

  explicit Tokenizer(WordPieceVocabulary vocabulary);
  [[nodiscard]] const Piece* added_token_at(std::string_view text) const;

  TokenizerOptions options_;
  bool strip_accents_;
  std::size_t max_word_chars_;
  std::int64_t size_;
  std::int32_t cls_id_;
  std::int32_t sep_id_;
  std::int32_t pad_id_;
  std::int32_t unk_id_;
  std::int32_t mask_id_;
  std::string fingerprint_;
  WordPiece word_piece_;
  std::vector<Piece> added_;              ///< longest first
  std::array<bool, 256> begins_added_{};  ///< whether an added token begins with a byte
  CharClasses classes_;
  std::array<Ascii, 256> ascii_{};       ///< by byte
  std::array<char, 128> ascii_lower_{};  ///< what a word keeps of an ASCII character
};

}  // namespace coterie::data
