// The tokenizer files of an exported model, made from those of the checkpoint it began with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace coterie::model {

namespace fs = std::filesystem;

/// The tokenizer files of a model's folder as they are: name -> content.
/// @throws IoError if a file cannot be read; DataError if neither tokenizer.json nor vocab.txt is there
[[nodiscard]] std::map<std::string, std::string> read_tokenizer_files(const fs::path& source);

/// @throws DataError naming `source` if neither tokenizer.json nor vocab.txt is among the files
void expect_vocabulary(const std::map<std::string, std::string>& files, const fs::path& source);

/// Makes the tokenizer files of an export: name -> content.
///
/// `tokenizer.json` and `vocab.txt` are taken over, as far as they are there. `tokenizer_config.json` and
/// `special_tokens_map.json` are written anew with all keys, because transformers gives the settings there precedence
/// over `tokenizer.json` and takes defaults for missing ones. Where the two disagree, `tokenizer_config.json` counts
/// and the normalizer in `tokenizer.json` is changed to agree, so that every reader cuts texts alike.
///
/// @param source      the tokenizer's folder
/// @param max_length  what is written as `model_max_length`
/// @throws IoError if a file cannot be read; DataError if one is wrong, or neither tokenizer.json nor vocab.txt is
/// there
[[nodiscard]] std::map<std::string, std::string> export_tokenizer_files(const fs::path& source,
                                                                        std::int64_t max_length);

}  // namespace coterie::model
