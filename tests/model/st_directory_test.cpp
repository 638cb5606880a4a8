// Sentence-transformers directories: what is written reads back, agrees with itself, and appears whole or not at all.
#include "model/st_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/hf_weights.h"
#include "tests/harness/faulty_file_ops.h"
#include "tests/harness/temporary_folder.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using nlohmann::json;
using test::data_error;
using test::write_text;
using testing::HasSubstr;

class StDirectory : public testing::Test {
 protected:
  StDirectory() {
    write_tokenizer("tokenizer.json", R"({"version": "1.0", "truncation": null, "normalizer":
      {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
       "lowercase": true}, "model": {"type": "WordPiece", "vocab": {"[PAD]": 0, "[UNK]": 1}}})");
    write_tokenizer("vocab.txt", "[PAD]\n[UNK]\n");
    write_tokenizer("tokenizer_config.json", R"({"do_lower_case": true, "strip_accents": null,
      "tokenize_chinese_chars": true, "model_max_length": 512, "cls_token": "[CLS]"})");
  }
  void write_tokenizer(const std::string& name, const std::string& content) const {
    write_text(folder_.path() / "tokenizer" / name, content);
  }
  [[nodiscard]] fs::path out() const { return folder_.path() / "out"; }
  [[nodiscard]] DenseModel model() const {
    return {.config = test::tiny_config(),
            .pooling = Pooling::mean,
            .normalize = true,
            .max_length = 7,
            .weights = test::tiny_weights(test::tiny_config()),
            .tokenizer = folder_.path() / "tokenizer",
            .model_card = "# A model\n"};
  }
  void write(const DenseModel& dense) const { write_st_directory(*real_file_ops(), out(), dense); }
  [[nodiscard]] json written(const std::string& name) const { return json::parse(read_file(out() / name)); }
  // Files of the folder besides the tokenizer.
  [[nodiscard]] std::vector<std::string> left() const {
    std::vector<std::string> names;
    for (const auto& file : fs::directory_iterator(folder_.path()))
      if (file.path().filename() != "tokenizer") names.push_back(file.path().filename());
    return names;
  }

  test::TemporaryFolder folder_;
};

TEST_F(StDirectory, reads_back_as_the_same_model) {
  for (const Pooling pooling : {Pooling::mean, Pooling::cls, Pooling::max})
    for (const bool normalize : {true, false}) {
      DenseModel dense = model();
      dense.pooling = pooling;
      dense.normalize = normalize;
      fs::remove_all(out());

      write(dense);

      const HfDirectory directory = read_hf_directory(out());
      EXPECT_EQ(directory.config, dense.config);
      EXPECT_EQ(directory.pooling, pooling);
      EXPECT_EQ(directory.normalize, normalize);
      EXPECT_EQ(directory.max_length, 7);
    }
}

TEST_F(StDirectory, weights_read_back_bit_for_bit) {
  write(model());

  const test::WeightMap weights = read_bert_weights(out(), test::tiny_config());

  for (const auto& [name, tensor] : model().weights) EXPECT_TRUE(test::same_bits(weights.at(name), tensor)) << name;
}

TEST_F(StDirectory, holds_every_file_of_the_layout_and_nothing_else) {
  write(model());

  std::vector<std::string> names;
  for (const auto& file : fs::recursive_directory_iterator(out())) names.push_back(fs::relative(file.path(), out()));
  EXPECT_THAT(names, testing::UnorderedElementsAre("modules.json", "config_sentence_transformers.json",
                                                   "sentence_bert_config.json", "config.json", "model.safetensors",
                                                   "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                                   "vocab.txt", "1_Pooling", "1_Pooling/config.json", "2_Normalize",
                                                   "README.md"));
  EXPECT_THAT(left(), testing::ElementsAre("out"));
  EXPECT_EQ(read_file(out() / "README.md"), "# A model\n");
}

TEST_F(StDirectory, names_the_modules_as_old_versions_know_them_and_pooling_by_booleans) {
  write(model());

  EXPECT_EQ(written("modules.json")[0]["type"], "sentence_transformers.models.Transformer");
  EXPECT_EQ(written("modules.json")[1]["path"], "1_Pooling");
  EXPECT_EQ(written("modules.json")[2]["idx"], 2);
  EXPECT_EQ(written("1_Pooling/config.json")["pooling_mode_mean_tokens"], true);
  EXPECT_EQ(written("1_Pooling/config.json")["pooling_mode_lasttoken"], false);
  EXPECT_EQ(written("1_Pooling/config.json")["word_embedding_dimension"], 6);
  EXPECT_EQ(written("config.json")["torch_dtype"], "float32");
  EXPECT_EQ(written("config.json")["architectures"], json::array({"BertModel"}));
}

TEST_F(StDirectory, consistent_tokenizer_files_are_taken_over_as_they_are) {
  write(model());

  EXPECT_EQ(read_file(out() / "tokenizer.json"), read_file(folder_.path() / "tokenizer" / "tokenizer.json"));
  EXPECT_EQ(read_file(out() / "vocab.txt"), "[PAD]\n[UNK]\n");
  EXPECT_EQ(written("tokenizer_config.json"), json::parse(R"({"tokenizer_class": "BertTokenizer", "do_lower_case": true,
    "strip_accents": null, "tokenize_chinese_chars": true, "model_max_length": 7, "unk_token": "[UNK]",
    "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"})"));
}

TEST_F(StDirectory, settings_missing_in_tokenizer_config_come_from_tokenizer_json) {
  fs::remove(folder_.path() / "tokenizer" / "tokenizer_config.json");
  write_tokenizer("tokenizer.json", R"({"normalizer": {"type": "BertNormalizer", "handle_chinese_chars": false,
    "strip_accents": true, "lowercase": false}})");

  write(model());

  const json config = written("tokenizer_config.json");
  EXPECT_EQ(config["do_lower_case"], false);
  EXPECT_EQ(config["strip_accents"], true);
  EXPECT_EQ(config["tokenize_chinese_chars"], false);
}

TEST_F(StDirectory, tokenizer_json_is_made_to_agree_with_tokenizer_config) {
  write_tokenizer("tokenizer_config.json", R"({"do_lower_case": false, "strip_accents": false})");

  write(model());

  const json tokenizer = written("tokenizer.json");
  EXPECT_EQ(tokenizer["normalizer"]["lowercase"], false);
  EXPECT_EQ(tokenizer["normalizer"]["strip_accents"], false);
  EXPECT_EQ(tokenizer["normalizer"]["clean_text"], true);
  EXPECT_EQ(tokenizer["model"]["vocab"]["[UNK]"], 1);
  EXPECT_EQ(written("tokenizer_config.json")["do_lower_case"], false);
}

TEST_F(StDirectory, special_tokens_keep_their_names) {
  write_tokenizer("tokenizer_config.json", R"({"cls_token": {"content": "<s>", "lstrip": false}})");
  write_tokenizer("special_tokens_map.json", R"({"cls_token": "no", "sep_token": "</s>"})");

  write(model());

  EXPECT_EQ(written("tokenizer_config.json")["cls_token"], "<s>");
  EXPECT_EQ(written("special_tokens_map.json")["cls_token"], "<s>");
  EXPECT_EQ(written("special_tokens_map.json")["sep_token"], "</s>");
  EXPECT_EQ(written("special_tokens_map.json")["mask_token"], "[MASK]");
}

TEST_F(StDirectory, without_a_vocabulary_nothing_is_written) {
  fs::remove(folder_.path() / "tokenizer" / "tokenizer.json");
  fs::remove(folder_.path() / "tokenizer" / "vocab.txt");

  EXPECT_THAT(data_error([&] { write(model()); }), HasSubstr("neither tokenizer.json nor vocab.txt"));
  EXPECT_THAT(left(), testing::IsEmpty());
}

TEST_F(StDirectory, another_kind_of_tokenizer_is_refused) {
  write_tokenizer("tokenizer.json", R"({"normalizer": {"type": "NFC"}})");

  EXPECT_THAT(data_error([&] { write(model()); }), HasSubstr("normalizer must be a BertNormalizer"));
}

TEST_F(StDirectory, weights_that_do_not_fit_the_config_are_a_bug) {
  DenseModel missing = model();
  missing.weights.erase("embeddings.LayerNorm.bias");
  DenseModel extra = model();
  extra.weights["x"] = at::zeros({1}, at::kFloat);
  DenseModel wide = model();
  wide.weights["embeddings.LayerNorm.bias"] = at::zeros({6}, at::kDouble);
  DenseModel misshapen = model();
  misshapen.weights["embeddings.LayerNorm.bias"] = at::zeros({7}, at::kFloat);

  for (const DenseModel& dense : {missing, extra, wide, misshapen}) EXPECT_THROW(write(dense), ShapeError);
  EXPECT_THAT(left(), testing::IsEmpty());
}

TEST_F(StDirectory, an_output_that_holds_something_is_refused_and_kept) {
  write_text(out() / "mine", "x");

  EXPECT_THROW(write(model()), ConfigError);
  EXPECT_EQ(read_file(out() / "mine"), "x");

  EXPECT_THROW(write_st_directory(*real_file_ops(), out() / "mine", model()), ConfigError);
}

TEST_F(StDirectory, an_empty_output_is_filled_even_with_a_slash_at_its_end) {
  fs::create_directory(out());

  write_st_directory(*real_file_ops(), out() / "", model());

  EXPECT_EQ(read_hf_directory(out()).max_length, 7);
}

TEST_F(StDirectory, a_failure_at_any_operation_leaves_nothing_or_the_whole) {
  DenseModel dense = model();
  dense.config.layers = 1;
  dense.weights = test::tiny_weights(dense.config);
  test::FaultyFileOps counting(real_file_ops(), 0, test::Fault::error);
  write_st_directory(counting, out(), dense);
  fs::remove_all(out());

  for (int n = 1; n <= counting.operations(); ++n) {
    test::FaultyFileOps faulty(real_file_ops(), n, test::Fault::error);
    EXPECT_THROW(write_st_directory(faulty, out(), dense), IoError) << n;
    // The last operation syncs the parent folder: by then the directory is whole.
    EXPECT_EQ(left().empty(), n < counting.operations()) << n;
  }
  EXPECT_EQ(read_bert_weights(out(), dense.config).size(), dense.weights.size());
}

TEST_F(StDirectory, the_leftovers_of_a_killed_export_do_not_hinder_the_next) {
  write_text(folder_.path() / ".tmp-out" / "model.safetensors", "half");

  write(model());

  EXPECT_THAT(left(), testing::ElementsAre("out"));
}

}  // namespace
}  // namespace coterie::model
