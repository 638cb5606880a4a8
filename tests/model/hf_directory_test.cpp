// Hugging Face and sentence-transformers directories: every legal variant is understood, every other one refused.
#include "model/hf_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/harness/temporary_folder.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using test::data_error;
using test::tiny_config;
using test::write_text;
using testing::HasSubstr;

constexpr const char* kModules = R"([
  {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
  {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])";
constexpr const char* kNormalized = R"([
  {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
  {"idx": 1, "name": "1", "path": "1_Pooling",
   "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling"},
  {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.base.modules.normalize.Normalize"}])";

class Directory : public testing::Test {
 protected:
  Directory() {
    write("config.json", bert_config_json(tiny_config()));
    write("modules.json", kModules);
    write("1_Pooling/config.json", R"({"word_embedding_dimension": 6, "pooling_mode_mean_tokens": true})");
  }
  void write(const std::string& name, const std::string& content) const { write_text(folder_.path() / name, content); }
  [[nodiscard]] HfDirectory read() const { return read_hf_directory(folder_.path()); }
  [[nodiscard]] std::string error() const {
    return data_error([&] { static_cast<void>(read()); });
  }
  // The error with another pooling config.
  [[nodiscard]] std::string pooling_error(const std::string& content) const {
    write("1_Pooling/config.json", content);
    return error();
  }
  [[nodiscard]] Pooling pooling(const std::string& content) const {
    write("1_Pooling/config.json", content);
    return read().pooling;
  }

  test::TemporaryFolder folder_;
};

TEST_F(Directory, without_modules_is_mean_pooled_normalised_and_as_long_as_the_positions) {
  fs::remove(folder_.path() / "modules.json");

  const HfDirectory directory = read();

  EXPECT_EQ(directory.config, tiny_config());
  EXPECT_EQ(directory.pooling, Pooling::mean);
  EXPECT_TRUE(directory.normalize);
  EXPECT_EQ(directory.max_length, 9);
  EXPECT_EQ(directory.transformer, folder_.path());
}

TEST_F(Directory, is_normalised_only_with_a_normalize_module) {
  EXPECT_FALSE(read().normalize);

  write("modules.json", kNormalized);

  EXPECT_TRUE(read().normalize);
}

TEST_F(Directory, pooling_is_read_in_both_forms) {
  EXPECT_EQ(pooling(R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})"), Pooling::cls);
  EXPECT_EQ(pooling(R"({"pooling_mode_max_tokens": true, "pooling_mode_mean_tokens": false})"), Pooling::max);
  EXPECT_EQ(pooling(R"({"pooling_mode_cls_token": false})"), Pooling::mean);
  EXPECT_EQ(pooling(R"({"embedding_dimension": 6, "pooling_mode": "cls", "include_prompt": true})"), Pooling::cls);
  EXPECT_EQ(pooling(R"({"embedding_dimension": 6, "pooling_mode": "mean"})"), Pooling::mean);
  EXPECT_EQ(pooling(R"({"embedding_dimension": 6, "pooling_mode": "max"})"), Pooling::max);
}

TEST_F(Directory, unsupported_pooling_is_refused) {
  EXPECT_THAT(pooling_error(R"({"pooling_mode_lasttoken": true, "pooling_mode_mean_tokens": false})"),
              HasSubstr("pooling must be cls, mean or max, got pooling_mode_lasttoken"));
  EXPECT_THAT(pooling_error(R"({"pooling_mode_cls_token": true})"),
              HasSubstr("exactly one pooling mode must be true, got pooling_mode_cls_token, pooling_mode_mean_tokens"));
  EXPECT_THAT(pooling_error(R"({"pooling_mode_mean_tokens": false})"), HasSubstr("got none"));
  EXPECT_THAT(pooling_error(R"({"pooling_mode": "weightedmean"})"), HasSubstr("one of 'cls', 'mean', 'max'"));
  EXPECT_THAT(pooling_error(R"({"pooling_mode": ["cls", "mean"]})"), HasSubstr("pooling_mode must be a string"));
  EXPECT_THAT(pooling_error(R"({"word_embedding_dimension": 7})"),
              HasSubstr("hidden_size of the transformer (6), got 7"));
}

TEST_F(Directory, unsupported_modules_are_refused_by_name) {
  const auto with = [&](const std::string& type) {
    write("modules.json", str(std::string(kModules).substr(0, std::strlen(kModules) - 1),
                              R"(, {"idx": 2, "name": "2", "path": "", "type": ")", type, "\"}]"));
    return error();
  };
  EXPECT_THAT(with("sentence_transformers.models.Dense"), HasSubstr("Normalize are supported, got 'Dense'"));
  EXPECT_THAT(with("my_package.Pooling"), HasSubstr("a class of sentence_transformers, got \"my_package.Pooling\""));
  EXPECT_THAT(with("sentence_transformers.models.Pooling"), HasSubstr("at most one Normalize in this order"));
  write("modules.json", "[]");
  EXPECT_THAT(error(), HasSubstr("at most one Normalize in this order, got ''"));
  write("modules.json", "{}");
  EXPECT_THAT(error(), HasSubstr("must be a list of modules, got object"));
}

TEST_F(Directory, a_module_outside_the_directory_is_refused) {
  for (const char* path : {"../x", "/etc", "a/../../x", "..", "C:x", "a\\b"}) {
    std::string modules = kModules;
    modules.replace(modules.find("1_Pooling"), 9, std::string(path) == "a\\b" ? "a\\\\b" : path);
    write("modules.json", modules);
    EXPECT_THAT(error(), HasSubstr("file name must not")) << path;
  }
}

TEST_F(Directory, the_transformer_may_lie_in_a_folder_of_its_own) {
  std::string modules = kModules;
  modules.replace(modules.find(R"("path": "")"), 10, R"("path": "0_BERT")");
  write("modules.json", modules);
  fs::create_directory(folder_.path() / "0_BERT");
  fs::rename(folder_.path() / "config.json", folder_.path() / "0_BERT" / "config.json");

  const HfDirectory directory = read();

  EXPECT_EQ(directory.transformer, folder_.path() / "0_BERT");
  EXPECT_EQ(directory.config, tiny_config());
}

TEST_F(Directory, length_is_that_of_sentence_bert_config_and_fits_the_positions) {
  write("sentence_bert_config.json", R"({"max_seq_length": 7, "do_lower_case": false})");
  EXPECT_EQ(read().max_length, 7);

  write("sentence_bert_config.json", R"({"max_seq_length": null})");
  EXPECT_EQ(read().max_length, 9);

  write("sentence_bert_config.json", R"({"max_seq_length": 10})");
  EXPECT_THAT(error(), HasSubstr("max_seq_length must be an integer in 3..9, got 10"));
}

TEST_F(Directory, that_is_missing_is_an_io_error) {
  EXPECT_THROW(static_cast<void>(read_hf_directory(folder_.path() / "none")), IoError);
  EXPECT_THROW(static_cast<void>(read_hf_directory(folder_.path() / "config.json")), IoError);
  fs::remove(folder_.path() / "config.json");
  EXPECT_THROW(static_cast<void>(read()), IoError);
}

}  // namespace
}  // namespace coterie::model
