#include "model/vocabulary_extension.h"

#include <ATen/Functions.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/text.h"

namespace coterie::model {
namespace {

// The ids of a word without [CLS] and [SEP].
std::vector<std::int32_t> ids_of(const data::Tokenizer& tokenizer, const std::string& word) {
  std::vector<std::int32_t> ids = tokenizer.encode(word);
  return {ids.begin() + 1, ids.end() - 1};
}

}  // namespace

VocabularyExtension read_extension(const fs::path& words, const fs::path& folder) {
  const data::Tokenizer before = data::Tokenizer::from_directory(folder);
  VocabularyExtension extension;
  extension.first_id = before.vocabulary_size();
  std::vector<std::int64_t> lines;
  std::set<std::string> seen;
  const std::string text = read_utf8(words);
  LineReader reader(text);
  while (const auto line = reader.next()) {
    const std::string word(trimmed(*line));
    if (word.empty()) continue;
    if (!seen.insert(word).second)
      throw DataError(str("vocabulary: a token must be given once, got ", excerpt(word), " again (",
                          place(words, reader.number()), ")"));
    const std::vector<std::int32_t> pieces = ids_of(before, word);
    if (pieces.size() == 1 && pieces[0] != before.unk_id())
      throw DataError(str("vocabulary: a token must be new, the tokenizer knows ", excerpt(word), " (",
                          place(words, reader.number()), ")"));
    extension.tokens.push_back(word);
    extension.pieces.push_back(pieces);
    lines.push_back(reader.number());
  }
  const data::Tokenizer after = data::Tokenizer::from_directory(folder, extension.tokens);
  for (std::size_t i = 0; i < extension.tokens.size(); ++i)
    if (ids_of(after, extension.tokens[i]) !=
        std::vector<std::int32_t>{static_cast<std::int32_t>(extension.first_id + static_cast<std::int64_t>(i))})
      throw DataError(
          str("vocabulary: a token must be a word as the tokenizer finds it in text (one word, no "
              "punctuation, lower case if it lowers), got ",
              excerpt(extension.tokens[i]), " (", place(words, lines[i]), ")"));
  return extension;
}

at::Tensor extend_rows(const at::Tensor& rows_VD, const VocabularyExtension& extension) {
  const std::int64_t needed = extension.first_id + static_cast<std::int64_t>(extension.tokens.size());
  at::Tensor extended_VD = at::zeros({std::max(rows_VD.size(0), needed), rows_VD.size(1)}, rows_VD.options());
  extended_VD.narrow(0, 0, rows_VD.size(0)).copy_(rows_VD);
  for (std::size_t i = 0; i < extension.tokens.size(); ++i) {
    const std::vector<std::int64_t> pieces(extension.pieces[i].begin(), extension.pieces[i].end());
    extended_VD.select(0, extension.first_id + static_cast<std::int64_t>(i))
        .copy_(rows_VD.index_select(0, at::tensor(pieces, at::kLong)).mean(0));
  }
  return extended_VD;
}

void extend_files(std::map<std::string, std::string>& files, const VocabularyExtension& extension,
                  const fs::path& folder) {
  if (const auto found = files.find("tokenizer.json"); found != files.end()) {
    try {
      auto tokenizer = nlohmann::ordered_json::parse(found->second);
      std::int64_t id = extension.first_id;
      for (const std::string& token : extension.tokens) tokenizer.at("model").at("vocab")[token] = id++;
      found->second = tokenizer.dump(2) + "\n";
    } catch (const nlohmann::json::exception& error) {
      throw DataError(str("tokenizer: ", error.what(), " (", (folder / "tokenizer.json").string(), ")"));
    }
  }
  if (const auto found = files.find("vocab.txt"); found != files.end()) {
    if (!found->second.empty() && found->second.back() != '\n') found->second += "\n";
    for (const std::string& token : extension.tokens) found->second += token + "\n";
  }
}

}  // namespace coterie::model
