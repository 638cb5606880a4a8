#include "data/wordpiece_vocabulary.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "data/unicode.h"
#include "data/unicode_tables.h"
#include "data/wordpiece_json.h"

namespace coterie::data {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kStandardTokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
constexpr std::int64_t kMaxWordChars = 1'000'000;

/// Drops the white space at the end, any that Unicode knows.
std::string_view trim_end(std::string_view text) {
  while (!text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && text.size() - start < 4 && (static_cast<unsigned char>(text[start]) & 0xc0U) == 0x80) --start;
    const char32_t last = decode_char(text.substr(start)).value;
    const auto ranges = white_space();
    if (std::none_of(ranges.begin(), ranges.end(),
                     [last](const CharRange& range) { return last >= range.first && last <= range.last; }))
      return text;
    text = text.substr(0, start);
  }
  return text;
}

/// Checks that the ids of all tokens are 0..n-1, that none is given twice, and that the tokens BERT needs are there.
void check_ids(WordPieceVocabulary& vocabulary, const fs::path& path) {
  std::sort(vocabulary.added.begin(), vocabulary.added.end(),
            [](const Piece& a, const Piece& b) { return a.id < b.id; });
  std::unordered_map<std::string_view, std::int32_t> ids;
  std::vector<const Piece*> all;
  for (const Piece& piece : vocabulary.pieces) {
    ids.emplace(piece.token, piece.id);
    all.push_back(&piece);
  }
  for (const Piece& token : vocabulary.added) {
    const auto [entry, is_new] = ids.emplace(token.token, token.id);
    if (is_new) all.push_back(&token);
    if (entry->second != token.id)
      fail_tokenizer(path, "added token '", token.token, "' must have one id (", entry->second, "), got ", token.id);
  }
  std::sort(all.begin(), all.end(), [](const Piece* a, const Piece* b) { return a->id < b->id; });
  const auto twice = std::adjacent_find(all.begin(), all.end(), [](auto* a, auto* b) { return a->id == b->id; });
  if (twice != all.end())
    fail_tokenizer(path, "id ", (*twice)->id, " is given twice, to '", (*twice)->token, "' and '", twice[1]->token,
                   "'");
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i]->id != static_cast<std::int32_t>(i))
      fail_tokenizer(path, "ids must leave no gap, got ", all[i]->id, " ('", all[i]->token, "') where ", i, " is due");
  vocabulary.size = static_cast<std::int64_t>(all.size());
  for (const std::string_view needed : {std::string_view(vocabulary.unk_token), kStandardTokens[2], kStandardTokens[3]})
    if (!ids.contains(needed)) fail_tokenizer(path, "the vocabulary has no token '", needed, "'");
}

/// Whether a path leads to anything; what cannot be looked at counts, so that reading it says why.
bool is_present(const fs::path& path) {
  std::error_code error;
  return fs::status(path, error).type() != fs::file_type::not_found;
}

void add_standard_tokens(WordPieceVocabulary& vocabulary) {
  for (const std::string_view token : kStandardTokens)
    if (const auto id = vocabulary.id_of(token); id >= 0) vocabulary.added.push_back({std::string(token), id});
}

void read_normalizer(const JsonNode& normalizer, TokenizerOptions& options) {
  if (normalizer.is_null()) normalizer.reject("of type BertNormalizer");
  const JsonNode type = normalizer.at("type");
  if (type.text() != "BertNormalizer") type.reject("\"BertNormalizer\"");
  options.clean_text = normalizer.at("clean_text").boolean();
  options.handle_chinese_chars = normalizer.at("handle_chinese_chars").boolean();
  options.lowercase = normalizer.at("lowercase").boolean();
  if (const auto strip = normalizer.find("strip_accents"); strip && !strip->is_null())
    options.strip_accents = strip->boolean();
}

void read_model(const JsonNode& model, WordPieceVocabulary& vocabulary) {
  // Files of before 2021 do not say the type; this key only WordPiece has.
  const auto type = model.find("type");
  if (type && type->text() != "WordPiece") type->reject("\"WordPiece\"");
  vocabulary.max_word_chars = model.at("max_input_chars_per_word").integer(1, kMaxWordChars);
  vocabulary.unk_token = model.at("unk_token").text();
  vocabulary.prefix = model.at("continuing_subword_prefix").text();
  for (const auto& [token, id] : model.at("vocab").members())
    vocabulary.pieces.push_back(
        {token, static_cast<std::int32_t>(id.integer(0, std::numeric_limits<std::int32_t>::max()))});
  std::sort(vocabulary.pieces.begin(), vocabulary.pieces.end(),
            [](const Piece& a, const Piece& b) { return a.id < b.id; });
}

void read_added_tokens(const JsonNode& tokens, WordPieceVocabulary& vocabulary) {
  for (const JsonNode& token : tokens.elements()) {
    const JsonNode content = token.at("content");
    if (content.text().empty()) content.reject("a token of at least one byte");
    for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized"})
      if (const JsonNode value = token.at(flag); value.boolean()) value.reject("false (nothing else is supported)");
    vocabulary.added.push_back({content.text(), static_cast<std::int32_t>(token.at("id").integer(
                                                    0, std::numeric_limits<std::int32_t>::max()))});
  }
}

/// Demands that a value is the text of `token`.
void require_token(const JsonNode& name, const std::string& token) {
  if (name.text() != token) name.reject(str('"', token, '"'));
}

void require_id(const JsonNode& ids, std::int32_t id) { (void)ids.integer(id, id); }

/// Demands what `encode` does: [CLS], the text, [SEP].
void check_post_processor(const JsonNode& processor, const WordPieceVocabulary& vocabulary) {
  const std::string cls(kStandardTokens[2]);
  const std::string sep(kStandardTokens[3]);
  if (processor.is_null()) processor.reject("of type TemplateProcessing or BertProcessing");
  const JsonNode type = processor.at("type");
  if (type.text() == "BertProcessing") {
    for (const auto& [key, token] : {std::pair("cls", cls), std::pair("sep", sep)}) {
      const auto pair = processor.at(key).elements();
      if (pair.size() != 2) processor.at(key).reject("an array of a token and its id");
      require_token(pair[0], token);
      require_id(pair[1], vocabulary.id_of(token));
    }
    return;
  }
  if (type.text() != "TemplateProcessing") type.reject("\"TemplateProcessing\" or \"BertProcessing\"");
  const auto single = processor.at("single").elements();
  if (single.size() != 3) processor.at("single").reject("an array of [CLS], the sequence and [SEP]");
  require_token(single[0].at("SpecialToken").at("id"), cls);
  require_token(single[1].at("Sequence").at("id"), "A");
  require_token(single[2].at("SpecialToken").at("id"), sep);
  for (const std::string& token : {cls, sep}) {
    const JsonNode ids = processor.at("special_tokens").at(token).at("ids");
    if (ids.elements().size() != 1) ids.reject("an array of one id");
    require_id(ids.elements()[0], vocabulary.id_of(token));
  }
}

WordPieceVocabulary read_tokenizer_json(const fs::path& path) {
  const auto document = parse_tokenizer_json(path);
  const JsonNode root(document, "", path);
  WordPieceVocabulary vocabulary;
  if (const JsonNode version = root.at("version"); version.text() != "1.0") version.reject("\"1.0\"");
  read_model(root.at("model"), vocabulary);
  read_normalizer(root.at("normalizer"), vocabulary.options);
  const JsonNode splitter = root.at("pre_tokenizer");
  if (splitter.is_null()) splitter.reject("of type BertPreTokenizer");
  if (const JsonNode type = splitter.at("type"); type.text() != "BertPreTokenizer") type.reject("\"BertPreTokenizer\"");
  if (const auto added = root.find("added_tokens"))
    read_added_tokens(*added, vocabulary);
  else
    add_standard_tokens(vocabulary);
  check_ids(vocabulary, path);
  check_post_processor(root.at("post_processor"), vocabulary);
  return vocabulary;
}

/// Lets tokenizer_config.json change the options, and refuses special tokens of other names.
void apply_config(const fs::path& path, WordPieceVocabulary& vocabulary) {
  const auto document = parse_tokenizer_json(path);
  const JsonNode root(document, "", path);
  TokenizerOptions& options = vocabulary.options;
  if (const auto value = root.find("do_lower_case")) options.lowercase = value->boolean();
  if (const auto value = root.find("tokenize_chinese_chars")) options.handle_chinese_chars = value->boolean();
  if (const auto value = root.find("strip_accents"))
    options.strip_accents = value->is_null() ? std::nullopt : std::optional<bool>(value->boolean());
  const std::array<std::pair<std::string_view, std::string_view>, 5> names{{{"pad_token", kStandardTokens[0]},
                                                                            {"unk_token", vocabulary.unk_token},
                                                                            {"cls_token", kStandardTokens[2]},
                                                                            {"sep_token", kStandardTokens[3]},
                                                                            {"mask_token", kStandardTokens[4]}}};
  for (const auto& [key, token] : names) {
    const auto value = root.find(key);
    if (!value || value->is_null()) continue;
    require_token(value->is_object() ? value->at("content") : *value, std::string(token));
  }
}

}  // namespace

std::int32_t WordPieceVocabulary::id_of(std::string_view token) const {
  for (const auto* list : {&pieces, &added})
    for (const Piece& piece : *list)
      if (piece.token == token) return piece.id;
  return -1;
}

WordPieceVocabulary read_tokenizer_directory(const fs::path& directory) {
  const fs::path json = directory / "tokenizer.json";
  const fs::path lines = directory / "vocab.txt";
  if (!is_present(json) && !is_present(lines))
    fail_tokenizer(directory, "the folder must hold tokenizer.json or vocab.txt, got neither");
  auto vocabulary = is_present(json) ? read_tokenizer_json(json) : read_vocabulary(lines, TokenizerOptions{});
  if (const fs::path config = directory / "tokenizer_config.json"; is_present(config)) apply_config(config, vocabulary);
  return vocabulary;
}

WordPieceVocabulary read_vocabulary(const fs::path& path, TokenizerOptions options) {
  const std::string text = read_tokenizer_file(path);
  WordPieceVocabulary vocabulary;
  vocabulary.options = options;
  std::unordered_map<std::string_view, std::size_t> lines;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view token = trim_end(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t line = vocabulary.pieces.size() + 1;
    if (!is_utf8(token)) fail_tokenizer(path, "tokens must be UTF-8, got other bytes in line ", line);
    // A token of white space is trimmed to nothing: its line keeps its id, and nothing matches it.
    if (const auto [entry, is_new] = lines.emplace(token, line); !is_new && !token.empty())
      fail_tokenizer(path, "token '", token, "' stands twice, in lines ", entry->second, " and ", line);
    vocabulary.pieces.push_back({std::string(token), static_cast<std::int32_t>(line - 1)});
  }
  add_standard_tokens(vocabulary);
  check_ids(vocabulary, path);
  return vocabulary;
}

}  // namespace coterie::data
