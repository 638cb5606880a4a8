// config.json of BERT: every key, its default, and every value that is refused.
#include "model/bert_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/temporary_folder.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using test::data_error;
using test::tiny_config;
using test::write_text;
using testing::AllOf;
using testing::HasSubstr;

std::string config_error(const std::string& content) {
  const test::TemporaryFolder folder;
  write_text(folder.path() / "config.json", content);
  const std::string message = data_error([&] { static_cast<void>(read_bert_config(folder.path() / "config.json")); });
  EXPECT_THAT(message, HasSubstr("config.json"));
  return message;
}

TEST(BertConfig, missing_keys_mean_the_defaults_of_transformers) {
  const test::TemporaryFolder folder;
  write_text(folder.path() / "config.json", R"({"model_type": "bert"})");

  const BertConfig config = read_bert_config(folder.path() / "config.json");

  EXPECT_EQ(config, BertConfig{});
  EXPECT_EQ(config.vocab_size, 30522);
  EXPECT_EQ(config.layer_norm_eps, 1e-12);
}

TEST(BertConfig, each_key_is_read) {
  const test::TemporaryFolder folder;
  write_text(folder.path() / "config.json", R"({"vocab_size": 11, "hidden_size": 6, "num_hidden_layers": 2,
    "num_attention_heads": 3, "intermediate_size": 10, "hidden_act": "gelu_pytorch_tanh", "hidden_dropout_prob": 0.25,
    "attention_probs_dropout_prob": 0, "max_position_embeddings": 9, "type_vocab_size": 1, "layer_norm_eps": 1e-5,
    "pad_token_id": 4, "model_type": "bert", "position_embedding_type": "absolute", "use_cache": true})");

  const BertConfig config = read_bert_config(folder.path() / "config.json");

  BertConfig expected = tiny_config();
  expected.activation = kernels::Activation::gelu_tanh;
  expected.hidden_dropout = 0.25;
  expected.attention_dropout = 0;
  expected.type_vocab_size = 1;
  expected.layer_norm_eps = 1e-5;
  expected.pad_token_id = 4;
  EXPECT_EQ(config, expected);
}

TEST(BertConfig, what_is_written_reads_back) {
  const test::TemporaryFolder folder;
  BertConfig config = tiny_config();
  config.activation = kernels::Activation::gelu_tanh;
  config.hidden_dropout = 0.3;
  config.layer_norm_eps = 1e-7;
  write_text(folder.path() / "config.json", bert_config_json(config));

  EXPECT_EQ(read_bert_config(folder.path() / "config.json"), config);
}

TEST(BertConfig, a_null_padding_token_is_none) {
  const test::TemporaryFolder folder;
  write_text(folder.path() / "config.json", R"({"model_type": "bert", "pad_token_id": null})");

  EXPECT_EQ(read_bert_config(folder.path() / "config.json"), BertConfig{});
}

TEST(BertConfig, wrong_values_are_refused_with_their_key) {
  const auto with = [](const std::string& field) { return config_error(R"({"model_type":"bert",)" + field + "}"); };
  EXPECT_THAT(with(R"("hidden_size":"six")"), HasSubstr(R"(hidden_size must be an integer in 1..1048576, got "six")"));
  EXPECT_THAT(with(R"("hidden_size":6.5)"), HasSubstr("got 6.5"));
  EXPECT_THAT(with(R"("hidden_size":384.0)"), HasSubstr("got 384.0"));
  EXPECT_THAT(with(R"("num_hidden_layers":0)"), HasSubstr("num_hidden_layers must be an integer in 1..1024, got 0"));
  EXPECT_THAT(with(R"("num_hidden_layers":1099511627776)"), HasSubstr("key 'num_hidden_layers'"));
  EXPECT_THAT(with(R"("vocab_size":-1)"), HasSubstr("key 'vocab_size'"));
  EXPECT_THAT(with(R"("vocab_size":18446744073709551615)"), HasSubstr("key 'vocab_size'"));
  EXPECT_THAT(with(R"("num_attention_heads":7)"), HasSubstr("a divisor of hidden_size (768), got 7"));
  EXPECT_THAT(with(R"("hidden_dropout_prob":1)"), HasSubstr("key 'hidden_dropout_prob'"));
  EXPECT_THAT(with(R"("layer_norm_eps":0)"), HasSubstr("key 'layer_norm_eps'"));
  EXPECT_THAT(with(R"("pad_token_id":30522)"), HasSubstr("pad_token_id must be an integer in 0..30521"));
  EXPECT_THAT(with(R"("hidden_act":"swish")"), HasSubstr("one of gelu, gelu_new"));
  EXPECT_THAT(with(R"("hidden_act":1)"), HasSubstr("hidden_act must be a string"));
  EXPECT_THAT(with(R"("position_embedding_type":"relative_key")"), HasSubstr("must be 'absolute'"));
  EXPECT_THAT(with(R"("is_decoder":true)"), HasSubstr("only encoders are supported"));
}

TEST(BertConfig, another_family_is_refused_by_name) {
  EXPECT_THAT(config_error(R"({"model_type":"roberta"})"),
              AllOf(HasSubstr("must be 'bert', the only family supported"), HasSubstr("got \"roberta\"")));
  EXPECT_THAT(config_error(R"({"architectures":["DistilBertModel"]})"), HasSubstr("key 'architectures'"));
}

TEST(BertConfig, what_is_not_strict_json_is_refused) {
  EXPECT_THAT(config_error(""), HasSubstr("not JSON"));
  EXPECT_THAT(config_error("[]"), HasSubstr("must be an object, got array"));
  EXPECT_THAT(config_error(R"({"a":1,})"), HasSubstr("not JSON"));
  EXPECT_THAT(config_error(R"({"a":1} x)"), HasSubstr("not JSON"));
  EXPECT_THAT(config_error("{\"a\":\"\xff\"}"), HasSubstr("not JSON"));
  EXPECT_THAT(config_error(R"({"a":{"vocab_size":1,"vocab_size":2}})"), HasSubstr("duplicate key 'vocab_size'"));
  EXPECT_THAT(config_error("{\"a\":" + std::string(100'000, '[')), HasSubstr("at most 32 deep"));
  EXPECT_THAT(config_error("version https://git-lfs.github.com/spec/v1"), HasSubstr("not JSON"));
}

TEST(BertTensors, follow_the_config) {
  const std::vector<TensorSpec> specs = bert_tensors(tiny_config());

  ASSERT_EQ(specs.size(), 5u + 2u * 16u);
  EXPECT_EQ(specs.front(), (TensorSpec{"embeddings.word_embeddings.weight", {11, 6}}));
  EXPECT_THAT(specs, testing::Contains(TensorSpec{"encoder.layer.1.intermediate.dense.weight", {10, 6}}));
  EXPECT_THAT(specs, testing::Contains(TensorSpec{"encoder.layer.0.output.dense.weight", {6, 10}}));
  EXPECT_EQ(specs.back(), (TensorSpec{"encoder.layer.1.output.LayerNorm.bias", {6}}));
}

}  // namespace
}  // namespace coterie::model
