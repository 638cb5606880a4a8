// Reading a tokenizer's files: what is accepted, what takes precedence, and one error for each rule.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file_ops.h"
#include "base/str.h"
#include "data/wordpiece_json.h"
#include "data/wordpiece_vocabulary.h"

namespace coterie::data {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// A small tokenizer.json that is valid.
json valid_document() {
  json document = json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
    "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                   "strip_accents": null, "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
      "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                         "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
    "decoder": {"type": "WordPiece"},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100,
              "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "a": 5, "##b": 6}}})");
  for (const auto& [token, id] : document["model"]["vocab"].items())
    if (token[0] == '[')
      document["added_tokens"].push_back({{"id", id},
                                          {"content", token},
                                          {"single_word", false},
                                          {"lstrip", false},
                                          {"rstrip", false},
                                          {"normalized", false},
                                          {"special", true}});
  return document;
}

/// A folder for the files of one test, removed with it.
class TokenizerFiles : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / str("tokenizer_files_", info->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const char* name, std::string_view content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }

  /// The text of the DataError that reading the folder ends in; empty if it reads well.
  [[nodiscard]] std::string error() const {
    try {
      (void)read_tokenizer_directory(folder_);
    } catch (const DataError& problem) {
      return problem.what();
    }
    return "";
  }

  fs::path folder_;
};

/// A valid document with one change, and what the error must say.
struct BadDocument {
  const char* rule;
  std::function<void(json&)> change;
  const char* expected;
};

/// Sets the value at a JSON pointer.
std::function<void(json&)> set(const char* pointer, json value) {
  return [pointer, value](json& document) { document[json::json_pointer(pointer)] = value; };
}

/// Removes a member of the object at a JSON pointer.
std::function<void(json&)> drop(const char* pointer, const char* key) {
  return [pointer, key](json& document) { document[json::json_pointer(pointer)].erase(key); };
}

const std::vector<BadDocument>& bad_documents() {
  static const std::vector<BadDocument> all{
      {"version", set("/version", "2.0"), "version must be \"1.0\", got \"2.0\""},
      {"no_version", drop("", "version"), "the document has no member 'version'"},
      {"no_model", drop("", "model"), "the document has no member 'model'"},
      {"model_type", set("/model/type", "BPE"), "model.type must be \"WordPiece\", got \"BPE\""},
      {"model_of_no_type_and_no_limit",
       [](json& document) {
         document["model"].erase("type");
         document["model"].erase("max_input_chars_per_word");
       },
       "model has no member 'max_input_chars_per_word'"},
      {"model_is_no_object", set("/model", 3), "model must be an object, got 3"},
      {"no_vocab", drop("/model", "vocab"), "model has no member 'vocab'"},
      {"vocab_is_a_list", set("/model/vocab", json::array({"a"})), "model.vocab must be an object, got an array"},
      {"no_unk_token", drop("/model", "unk_token"), "model has no member 'unk_token'"},
      {"no_prefix", drop("/model", "continuing_subword_prefix"), "model has no member 'continuing_subword_prefix'"},
      {"limit_zero", set("/model/max_input_chars_per_word", 0), "must be a whole number in 1..1000000, got 0"},
      {"limit_huge", set("/model/max_input_chars_per_word", 18446744073709551615ULL), "got 18446744073709551615"},
      {"id_is_text", set("/model/vocab/a", "5"), "model.vocab.a must be a whole number in 0..2147483647, got \"5\""},
      {"id_is_negative", set("/model/vocab/a", -1), "model.vocab.a must be a whole number"},
      {"id_is_broken", set("/model/vocab/a", 5.5), "model.vocab.a must be a whole number"},
      {"id_is_huge", set("/model/vocab/a", 4294967296LL), "got 4294967296"},
      {"id_twice", set("/model/vocab/a", 6), "id 6 is given twice"},
      {"gap", set("/model/vocab/a", 7), "ids must leave no gap, got 6 ('##b') where 5 is due"},
      {"unk_is_missing", set("/model/unk_token", "<unk>"), "the vocabulary has no token '<unk>'"},
      {"normalizer_type", set("/normalizer/type", "Lowercase"), "normalizer.type must be \"BertNormalizer\""},
      {"no_normalizer", set("/normalizer", nullptr), "normalizer must be of type BertNormalizer, got null"},
      {"no_lowercase", drop("/normalizer", "lowercase"), "normalizer has no member 'lowercase'"},
      {"lowercase_is_text", set("/normalizer/lowercase", "yes"), "normalizer.lowercase must be true or false"},
      {"strip_accents_is_a_number", set("/normalizer/strip_accents", 1), "normalizer.strip_accents must be true"},
      {"pre_tokenizer_type", set("/pre_tokenizer/type", "Whitespace"), "must be \"BertPreTokenizer\", got \"White"},
      {"no_pre_tokenizer", set("/pre_tokenizer", nullptr), "pre_tokenizer must be of type BertPreTokenizer, got null"},
      {"no_post_processor", set("/post_processor", nullptr), "post_processor must be of type TemplateProcessing"},
      {"post_processor_type", set("/post_processor/type", "RobertaProcessing"), "got \"RobertaProcessing\""},
      {"template_of_two", [](json& document) { document["post_processor"]["single"].erase(2); },
       "post_processor.single must be an array of [CLS], the sequence and [SEP]"},
      {"template_of_others", set("/post_processor/single/0/SpecialToken/id", "<s>"), "must be \"[CLS]\", got \"<s>\""},
      {"template_id", set("/post_processor/special_tokens/[SEP]/ids/0", 4), "must be a whole number in 3..3, got 4"},
      {"added_is_no_list", set("/added_tokens", json::object()), "added_tokens must be an array, got an object"},
      {"added_is_empty", set("/added_tokens/0/content", ""), "added_tokens[0].content must be a token of at least"},
      {"added_is_normalized", set("/added_tokens/1/normalized", true), "added_tokens[1].normalized must be false"},
      {"added_is_stripped", set("/added_tokens/1/lstrip", true), "added_tokens[1].lstrip must be false"},
      {"added_has_no_id", drop("/added_tokens/2", "id"), "added_tokens[2] has no member 'id'"},
      {"added_contradicts", set("/added_tokens/0/id", 6), "must have one id (2), got 6"},
      {"added_leaves_a_gap",
       [](json& document) {
         json token = document["added_tokens"][0];
         token["content"] = "<new>";
         token["id"] = 8;
         document["added_tokens"].push_back(token);
       },
       "ids must leave no gap, got 8 ('<new>') where 7 is due"},
  };
  return all;
}

TEST_F(TokenizerFiles, each_rule_of_tokenizer_json_has_its_error) {
  for (const BadDocument& bad : bad_documents()) {
    json document = valid_document();
    bad.change(document);
    write("tokenizer.json", document.dump());

    EXPECT_THAT(error(), HasSubstr(bad.expected)) << bad.rule;
    EXPECT_THAT(error(), testing::StartsWith("tokenizer: ")) << bad.rule;
    EXPECT_THAT(error(), HasSubstr((folder_ / "tokenizer.json").string())) << bad.rule;
  }
}

TEST_F(TokenizerFiles, a_valid_document_is_read_whole) {
  write("tokenizer.json", valid_document().dump());

  const auto vocabulary = read_tokenizer_directory(folder_);

  EXPECT_EQ(vocabulary.size, 7);
  EXPECT_EQ(vocabulary.pieces.size(), 7u);
  EXPECT_EQ(vocabulary.added.size(), 5u);
  EXPECT_EQ(vocabulary.id_of("##b"), 6);
  EXPECT_EQ(vocabulary.id_of("c"), -1);
}

TEST_F(TokenizerFiles, the_model_settings_are_honoured) {
  json document = valid_document();
  document["model"]["unk_token"] = "a";
  document["model"]["continuing_subword_prefix"] = "@@";
  document["model"]["max_input_chars_per_word"] = 7;
  document["model"].erase("type");
  write("tokenizer.json", document.dump());

  const auto vocabulary = read_tokenizer_directory(folder_);

  EXPECT_EQ(vocabulary.unk_token, "a");
  EXPECT_EQ(vocabulary.prefix, "@@");
  EXPECT_EQ(vocabulary.max_word_chars, 7);
}

TEST_F(TokenizerFiles, a_token_beyond_the_model_counts_but_is_no_piece) {
  json document = valid_document();
  json token = document["added_tokens"][0];
  token["content"] = "<new>";
  token["id"] = 7;
  document["added_tokens"].push_back(token);
  write("tokenizer.json", document.dump());

  const auto vocabulary = read_tokenizer_directory(folder_);

  EXPECT_EQ(vocabulary.size, 8);
  EXPECT_EQ(vocabulary.pieces.size(), 7u);
  EXPECT_EQ(vocabulary.id_of("<new>"), 7);
}

TEST_F(TokenizerFiles, bert_processing_is_accepted_with_the_right_ids_only) {
  json document = valid_document();
  document["post_processor"] = {{"type", "BertProcessing"}, {"cls", {"[CLS]", 2}}, {"sep", {"[SEP]", 3}}};
  write("tokenizer.json", document.dump());
  EXPECT_EQ(error(), "");

  document["post_processor"]["sep"][1] = 102;
  write("tokenizer.json", document.dump());
  EXPECT_THAT(error(), HasSubstr("post_processor.sep[1] must be a whole number in 3..3, got 102"));
}

TEST_F(TokenizerFiles, tokenizer_config_goes_before_tokenizer_json) {
  json document = valid_document();
  document["normalizer"]["strip_accents"] = true;
  write("tokenizer.json", document.dump());
  write("tokenizer_config.json", R"({"do_lower_case": false, "tokenize_chinese_chars": false, "strip_accents": null})");

  const auto options = read_tokenizer_directory(folder_).options;

  EXPECT_FALSE(options.lowercase);
  EXPECT_FALSE(options.handle_chinese_chars);
  EXPECT_EQ(options.strip_accents, std::nullopt);
}

TEST_F(TokenizerFiles, what_tokenizer_config_leaves_out_stays) {
  json document = valid_document();
  document["normalizer"]["lowercase"] = false;
  document["normalizer"]["clean_text"] = false;
  document["normalizer"]["strip_accents"] = true;
  write("tokenizer.json", document.dump());
  write("tokenizer_config.json", R"({"model_max_length": 512})");

  const auto options = read_tokenizer_directory(folder_).options;

  EXPECT_FALSE(options.lowercase);
  EXPECT_FALSE(options.clean_text);
  EXPECT_EQ(options.strip_accents, std::optional<bool>(true));
}

TEST_F(TokenizerFiles, tokenizer_config_is_checked) {
  write("tokenizer.json", valid_document().dump());

  write("tokenizer_config.json", R"({"do_lower_case": "true"})");
  EXPECT_THAT(error(), HasSubstr("do_lower_case must be true or false, got \"true\""));
  write("tokenizer_config.json", R"({"cls_token": "<s>"})");
  EXPECT_THAT(error(), HasSubstr("cls_token must be \"[CLS]\", got \"<s>\""));
  write("tokenizer_config.json", R"({"sep_token": {"content": "</s>"}})");
  EXPECT_THAT(error(), HasSubstr("sep_token.content must be \"[SEP]\", got \"</s>\""));
  write("tokenizer_config.json", R"({"sep_token": {"content": "[SEP]"}, "pad_token": null})");
  EXPECT_EQ(error(), "");
  write("tokenizer_config.json", "[]");
  EXPECT_THAT(error(), HasSubstr("must be an object, got an array"));
}

TEST_F(TokenizerFiles, a_document_cut_anywhere_is_not_valid_json) {
  const std::string whole = valid_document().dump();

  for (std::size_t bytes = 0; bytes < whole.size(); bytes += 7) {
    write("tokenizer.json", whole.substr(0, bytes));
    EXPECT_THAT(error(), HasSubstr("not valid JSON")) << bytes;
  }
}

TEST_F(TokenizerFiles, nesting_is_bounded) {
  write("tokenizer.json", std::string(100'000, '['));

  EXPECT_THAT(error(), HasSubstr("values must be nested at most 32 deep"));
}

TEST_F(TokenizerFiles, size_is_bounded) {
  write("tokenizer.json", "{}");
  fs::resize_file(folder_ / "tokenizer.json", (64U << 20U) + 1);

  EXPECT_THAT(error(), HasSubstr("must have at most 67108864 bytes, got 67108865"));
}

TEST_F(TokenizerFiles, a_git_lfs_pointer_is_recognised) {
  const char* pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 231508\n";

  write("vocab.txt", pointer);
  EXPECT_THAT(error(), HasSubstr("only a Git LFS pointer"));
  write("tokenizer.json", pointer);
  EXPECT_THAT(error(), HasSubstr("tokenizer.json"));
  EXPECT_THAT(error(), HasSubstr("only a Git LFS pointer"));
}

TEST_F(TokenizerFiles, a_folder_with_neither_file_is_an_error) {
  EXPECT_THAT(error(), HasSubstr("must hold tokenizer.json or vocab.txt, got neither"));
}

TEST_F(TokenizerFiles, a_missing_vocabulary_file_is_an_io_error) {
  EXPECT_THROW((void)read_vocabulary(folder_ / "vocab.txt", {}), IoError);
}

TEST_F(TokenizerFiles, vocab_txt_gives_ids_by_line_and_drops_white_space_at_line_ends) {
  write("vocab.txt", "[UNK]\r\n[CLS] \n[SEP]\t\n \u3000\n a\nb");

  const auto vocabulary = read_tokenizer_directory(folder_);

  EXPECT_EQ(vocabulary.size, 6);
  EXPECT_EQ(vocabulary.id_of("[CLS]"), 1);
  EXPECT_EQ(vocabulary.pieces[3].token, "");
  EXPECT_EQ(vocabulary.id_of(" a"), 4);
  EXPECT_EQ(vocabulary.id_of("b"), 5);
  EXPECT_EQ(vocabulary.added.size(), 3u);
}

TEST_F(TokenizerFiles, each_rule_of_vocab_txt_has_its_error) {
  write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\nb\na\n");
  EXPECT_THAT(error(), HasSubstr("token 'a' stands twice, in lines 4 and 6"));
  write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\n\xff\n");
  EXPECT_THAT(error(), HasSubstr("tokens must be UTF-8, got other bytes in line 4"));
  write("vocab.txt", "[CLS]\n[SEP]\n");
  EXPECT_THAT(error(), HasSubstr("the vocabulary has no token '[UNK]'"));
  write("vocab.txt", "[UNK]\n[SEP]\n");
  EXPECT_THAT(error(), HasSubstr("the vocabulary has no token '[CLS]'"));
  write("vocab.txt", "[UNK]\n[CLS]\n");
  EXPECT_THAT(error(), HasSubstr("the vocabulary has no token '[SEP]'"));
  write("vocab.txt", "");
  EXPECT_THAT(error(), HasSubstr("the vocabulary has no token '[UNK]'"));
}

}  // namespace
}  // namespace coterie::data
