#include "model/tokenizer_files.h"

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "model/json_file.h"
#include "model/model_path.h"

namespace coterie::model {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// What BERT's normalizer does; `strip_accents` without a value follows `lowercase`.
struct Normalizer {
  bool lowercase = true;
  std::optional<bool> strip_accents;
  bool chinese_chars = true;

  bool operator==(const Normalizer&) const = default;
};

struct SpecialToken {
  std::string_view key;
  std::string_view usual;
};

constexpr auto kSpecialTokens = std::to_array<SpecialToken>({
    {"unk_token", "[UNK]"},
    {"sep_token", "[SEP]"},
    {"pad_token", "[PAD]"},
    {"cls_token", "[CLS]"},
    {"mask_token", "[MASK]"},
});

// The same three settings have other names in the two files.
struct NormalizerKeys {
  const char* lowercase;
  const char* strip_accents;
  const char* chinese_chars;
};
constexpr NormalizerKeys kConfigKeys = {"do_lower_case", "strip_accents", "tokenize_chinese_chars"};
constexpr NormalizerKeys kTokenizerKeys = {"lowercase", "strip_accents", "handle_chinese_chars"};

Normalizer read_normalizer(const JsonObject& object, const NormalizerKeys& keys, const Normalizer& fallback) {
  Normalizer out = fallback;
  out.lowercase = object.flag(keys.lowercase, fallback.lowercase);
  out.chinese_chars = object.flag(keys.chinese_chars, fallback.chinese_chars);
  if (const json* accents = object.find(keys.strip_accents); accents != nullptr)
    out.strip_accents = accents->is_null() ? std::nullopt : std::optional(object.flag(keys.strip_accents, false));
  return out;
}

json nullable(const std::optional<bool>& value) { return value ? json(*value) : json(nullptr); }

JsonObject read_optional_object(const fs::path& file) {
  return JsonObject(file_exists(file) ? read_json(file) : json::object(), file);
}

// A special token is text, or an object that has the text as `content`.
std::optional<std::string> special_token(const JsonObject& object, const fs::path& file, const std::string& key) {
  const json* value = object.find(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_object()) return object.text(key, "");
  const JsonObject token(*value, file);
  if (token.find("content") == nullptr) token.reject("content", "a string");
  return token.text("content", "");
}

ordered_json special_tokens(const fs::path& source, const JsonObject& config) {
  const fs::path config_file = source / "tokenizer_config.json";
  const fs::path map_file = source / "special_tokens_map.json";
  const JsonObject map = read_optional_object(map_file);
  ordered_json out = ordered_json::object();
  for (const SpecialToken& token : kSpecialTokens) {
    const std::string key(token.key);
    const auto in_config = special_token(config, config_file, key);
    const auto in_map = special_token(map, map_file, key);
    out[key] = in_config ? *in_config : in_map ? *in_map : std::string(token.usual);
  }
  return out;
}

}  // namespace

std::map<std::string, std::string> read_tokenizer_files(const fs::path& source) {
  std::map<std::string, std::string> files;
  for (const char* name : {"tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json"})
    if (file_exists(source / name)) files[name] = read_small_file(source / name);
  expect_vocabulary(files, source);
  return files;
}

void expect_vocabulary(const std::map<std::string, std::string>& files, const fs::path& source) {
  if (!files.contains("tokenizer.json") && !files.contains("vocab.txt"))
    throw DataError(str("tokenizer: no vocabulary, neither tokenizer.json nor vocab.txt (", source.string(), ")"));
}

std::map<std::string, std::string> export_tokenizer_files(const fs::path& source, std::int64_t max_length) {
  std::map<std::string, std::string> out = read_tokenizer_files(source);

  const JsonObject config = read_optional_object(source / "tokenizer_config.json");
  Normalizer normalizer;
  if (const auto content = out.find("tokenizer.json"); content != out.end()) {
    const fs::path file = source / "tokenizer.json";
    json tokenizer = parse_json(content->second, file);
    const JsonObject object(tokenizer, file);
    const json* part = object.find("normalizer");
    if (part == nullptr || !part->is_object() || JsonObject(*part, file).text("type", "") != "BertNormalizer")
      object.reject("normalizer", "a BertNormalizer");
    const Normalizer written = read_normalizer(JsonObject(*part, file), kTokenizerKeys, normalizer);
    normalizer = read_normalizer(config, kConfigKeys, written);
    if (normalizer != written) {
      json& changed = tokenizer["normalizer"];
      changed[kTokenizerKeys.lowercase] = normalizer.lowercase;
      changed[kTokenizerKeys.strip_accents] = nullable(normalizer.strip_accents);
      changed[kTokenizerKeys.chinese_chars] = normalizer.chinese_chars;
      content->second = tokenizer.dump(2);
    }
  } else {
    normalizer = read_normalizer(config, kConfigKeys, normalizer);
  }

  const ordered_json special = special_tokens(source, config);
  ordered_json written = {
      {"tokenizer_class", "BertTokenizer"},
      {kConfigKeys.lowercase, normalizer.lowercase},
      {kConfigKeys.strip_accents, nullable(normalizer.strip_accents)},
      {kConfigKeys.chinese_chars, normalizer.chinese_chars},
      {"model_max_length", max_length},
  };
  written.update(special);
  out["tokenizer_config.json"] = written.dump(2) + "\n";
  out["special_tokens_map.json"] = special.dump(2) + "\n";
  return out;
}

}  // namespace coterie::model
