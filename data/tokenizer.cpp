#include "data/tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/sha256.h"
#include "base/str.h"

namespace coterie::data {
namespace {

std::string fingerprint_of(const WordPieceVocabulary& vocabulary, bool strip_accents) {
  Sha256 hash;
  const auto add = [&hash](std::string_view text) { hash.update(str(text.size(), ':', text)); };
  const TokenizerOptions& options = vocabulary.options;
  add("wordpiece 1");
  hash.update(str(options.clean_text, options.handle_chinese_chars, options.lowercase, strip_accents, ' ',
                  vocabulary.max_word_chars, ' '));
  add(vocabulary.unk_token);
  add(vocabulary.prefix);
  for (const auto* list : {&vocabulary.pieces, &vocabulary.added}) {
    hash.update(str(list->size(), ' '));
    for (const Piece& piece : *list) {
      add(piece.token);
      hash.update(str(piece.id, ' '));
    }
  }
  return hash.hex();
}

}  // namespace

/// One text on its way to ids: normalised, cut into words and pieces character by character, in a single pass.
class Tokenizer::Reading {
 public:
  Reading(const Tokenizer& tokenizer, std::vector<std::int32_t>& ids) : with_(tokenizer), ids_(ids) {}

  /// Reads a stretch of text without added tokens.
  void read(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
      switch (with_.ascii_[static_cast<unsigned char>(text[i])]) {
        case Ascii::word: {
          settle_marks();
          const std::size_t start = i;
          while (++i < text.size() && with_.ascii_[static_cast<unsigned char>(text[i])] == Ascii::word) continue;
          add_to_word(text.substr(start, i - start));
          break;
        }
        case Ascii::white:
          settle_marks();
          end_word();
          ++i;
          break;
        case Ascii::punctuation:
          settle_marks();
          end_word();
          with_.word_piece_.append_ids(text.substr(i++, 1), ids_);
          break;
        case Ascii::removed:
          ++i;
          break;
        case Ascii::other: {
          const DecodedChar next = decode_char(text.substr(i));
          i += next.bytes;
          read_char(next.value);
          break;
        }
      }
    }
    settle_marks();
    end_word();
  }

 private:
  /// Clean text, Chinese characters, canonical decomposition.
  void read_char(char32_t c) {
    const std::uint8_t classes = with_.classes_.of(c);
    if (with_.options_.clean_text && (classes & char_class::removed) != 0) return;
    if ((classes & char_class::white) != 0) {
      settle_marks();
      end_word();
      return;
    }
    const bool alone = with_.options_.handle_chinese_chars && (classes & char_class::han) != 0;
    if (alone) {
      settle_marks();
      end_word();
    }
    if (with_.strip_accents_) {
      const Decomposition decomposition = decompose(c);
      for (std::size_t i = 0; i < decomposition.size; ++i) read_part(decomposition.parts[i]);
    } else {
      read_ordered(c);
    }
    if (alone) {
      settle_marks();
      end_word();
    }
  }

  /// Canonical ordering, of which the marks that are dropped need no more than to be known as such.
  void read_part(char32_t c) {
    const std::uint8_t classes = with_.classes_.of(c);
    const int combining = combining_class(c, classes);
    if (combining == 0) settle_marks();
    if ((classes & char_class::mark) != 0) return;
    if (combining == 0)
      read_ordered(c);
    else
      marks_.emplace_back(combining, c);
  }

  /// Passes on the marks that wait for their order, which a starter ends.
  void settle_marks() {
    if (marks_.empty()) return;
    std::stable_sort(marks_.begin(), marks_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [combining, c] : marks_) read_ordered(c);
    marks_.clear();
  }

  /// Lower case, then words.
  void read_ordered(char32_t c) {
    if (!with_.options_.lowercase) return add_to_words(c);
    const Decomposition lower = lower_case(c);
    for (std::size_t i = 0; i < lower.size; ++i) add_to_words(lower.parts[i]);
  }

  void add_to_words(char32_t c) {
    const std::uint8_t classes = with_.classes_.of(c);
    if ((classes & (char_class::white | char_class::punctuation)) == 0) {
      if (++word_chars_ <= with_.max_word_chars_) append_char(word_, c);
      return;
    }
    end_word();
    if ((classes & char_class::white) != 0) return;
    append_char(word_, c);
    word_chars_ = 1;
    end_word();
  }

  /// Adds ASCII characters.
  void add_to_word(std::string_view ascii) {
    word_chars_ += ascii.size();
    if (word_chars_ > with_.max_word_chars_) return;
    for (const char c : ascii) word_ += with_.ascii_lower_[static_cast<unsigned char>(c)];
  }

  void end_word() {
    if (word_chars_ > with_.max_word_chars_)
      ids_.push_back(with_.unk_id_);
    else if (word_chars_ > 0)
      with_.word_piece_.append_ids(word_, ids_);
    word_.clear();
    word_chars_ = 0;
  }

  const Tokenizer& with_;
  std::vector<std::int32_t>& ids_;
  std::string word_;            ///< not complete once it has too many characters
  std::size_t word_chars_ = 0;  ///< code points
  std::vector<std::pair<int, char32_t>> marks_;
};

Tokenizer::Tokenizer(WordPieceVocabulary vocabulary)
    : options_(vocabulary.options),
      strip_accents_(options_.strip_accents.value_or(options_.lowercase)),
      max_word_chars_(static_cast<std::size_t>(vocabulary.max_word_chars)),
      size_(vocabulary.size),
      cls_id_(vocabulary.id_of("[CLS]")),
      sep_id_(vocabulary.id_of("[SEP]")),
      pad_id_(vocabulary.id_of("[PAD]")),
      unk_id_(vocabulary.id_of(vocabulary.unk_token)),
      mask_id_(vocabulary.id_of("[MASK]")),
      fingerprint_(fingerprint_of(vocabulary, strip_accents_)),
      word_piece_(vocabulary.pieces, vocabulary.prefix, unk_id_),
      added_(std::move(vocabulary.added)) {
  std::sort(added_.begin(), added_.end(),
            [](const Piece& a, const Piece& b) { return a.token.size() > b.token.size(); });
  for (const Piece& piece : added_) begins_added_[static_cast<unsigned char>(piece.token[0])] = true;
  ascii_.fill(Ascii::other);
  for (std::size_t c = 0; c < ascii_lower_.size(); ++c) {
    const std::uint8_t classes = classes_.of(static_cast<char32_t>(c));
    ascii_lower_[c] = static_cast<char>(options_.lowercase && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    if (options_.clean_text && (classes & char_class::removed) != 0)
      ascii_[c] = Ascii::removed;
    else if ((classes & char_class::white) != 0)
      ascii_[c] = Ascii::white;
    else
      ascii_[c] = (classes & char_class::punctuation) != 0 ? Ascii::punctuation : Ascii::word;
  }
}

Tokenizer Tokenizer::from_directory(const std::filesystem::path& directory) { return from_directory(directory, {}); }

Tokenizer Tokenizer::from_directory(const std::filesystem::path& directory, const std::vector<std::string>& more) {
  WordPieceVocabulary vocabulary = read_tokenizer_directory(directory);
  for (const std::string& token : more)
    vocabulary.pieces.push_back({token, static_cast<std::int32_t>(vocabulary.size++)});
  return Tokenizer(std::move(vocabulary));
}

Tokenizer Tokenizer::from_vocabulary(const std::filesystem::path& vocab_txt, TokenizerOptions options) {
  return Tokenizer(read_vocabulary(vocab_txt, options));
}

const Piece* Tokenizer::added_token_at(std::string_view text) const {
  if (!begins_added_[static_cast<unsigned char>(text[0])]) return nullptr;
  const auto found =
      std::find_if(added_.begin(), added_.end(), [text](const Piece& piece) { return text.starts_with(piece.token); });
  return found == added_.end() ? nullptr : &*found;
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view utf8) const {
  std::vector<std::int32_t> ids;
  ids.reserve(utf8.size() / 4 + 8);
  ids.push_back(cls_id_);
  Reading reading(*this, ids);
  std::size_t start = 0;
  for (std::size_t i = 0; i < utf8.size();) {
    const Piece* added = added_token_at(utf8.substr(i));
    if (added == nullptr) {
      ++i;
      continue;
    }
    reading.read(utf8.substr(start, i - start));
    ids.push_back(added->id);
    i += added->token.size();
    start = i;
  }
  reading.read(utf8.substr(start));
  ids.push_back(sep_id_);
  return ids;
}

}  // namespace coterie::data
