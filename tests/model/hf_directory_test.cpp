// Hugging Face and sentence-transformers directories: every legal variant reads alike, every broken one is refused.
#include "model/hf_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cstring>

#include "base/cache.h"
#include "model/hf_weights.h"
#include "tests/harness/temporary_folder.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using test::data_error;
using test::same_bits;
using test::tiny_config;
using test::tiny_weights;
using test::WeightMap;
using test::write_tensors;
using test::write_text;
using testing::AllOf;
using testing::HasSubstr;

// ---- config.json ----

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

// ---- directories ----

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
  EXPECT_THAT(pooling_error(R"({"word_embedding_dimension": 7})"), HasSubstr("hidden_size of the transformer (6), got 7"));
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

// ---- weights ----

class BertWeights : public testing::Test {
 protected:
  void expect_read(const WeightMap& expected) const {
    const WeightMap got = read_bert_weights(folder_.path(), tiny_config());
    ASSERT_EQ(got.size(), expected.size());
    for (const auto& [name, tensor] : expected) EXPECT_TRUE(same_bits(got.at(name), tensor)) << name;
  }
  void write(const WeightMap& tensors) const { write_tensors(folder_.path() / "model.safetensors", tensors); }
  [[nodiscard]] std::string error() const {
    return data_error([&] { static_cast<void>(read_bert_weights(folder_.path(), tiny_config())); });
  }

  test::TemporaryFolder folder_;
  const WeightMap weights_ = tiny_weights(tiny_config());
};

TEST_F(BertWeights, read_back_bit_for_bit) {
  write(weights_);

  expect_read(weights_);
}

TEST_F(BertWeights, an_old_pretraining_checkpoint_reads_alike) {
  WeightMap old;
  for (const auto& [name, tensor] : weights_) {
    std::string renamed = "bert." + name;
    if (renamed.ends_with("LayerNorm.weight")) renamed.replace(renamed.size() - 6, 6, "gamma");
    if (renamed.ends_with("LayerNorm.bias")) renamed.replace(renamed.size() - 4, 4, "beta");
    old[renamed] = tensor;
  }
  old["bert.embeddings.position_ids"] = at::arange(9, at::kLong).unsqueeze(0);
  old["bert.pooler.dense.weight"] = at::zeros({6, 6}, at::kFloat);
  old["cls.predictions.bias"] = at::zeros({11}, at::kFloat);
  old["classifier.gamma"] = at::zeros({2}, at::kFloat);
  write(old);

  expect_read(weights_);
}

TEST_F(BertWeights, fp16_bf16_and_fp64_are_converted) {
  WeightMap stored;
  const std::array types = {at::kHalf, at::kBFloat16, at::kDouble, at::kFloat};
  std::size_t i = 0;
  for (const auto& [name, tensor] : weights_) stored[name] = tensor.to(types[i++ % types.size()]);
  write(stored);

  expect_read(weights_);
}

TEST_F(BertWeights, all_missing_and_misshapen_tensors_are_in_one_error) {
  WeightMap stored = weights_;
  stored.erase("encoder.layer.0.output.dense.bias");
  stored.erase("embeddings.LayerNorm.bias");
  stored["encoder.layer.1.intermediate.dense.weight"] = at::zeros({6, 10}, at::kFloat);
  write(stored);

  EXPECT_THAT(error(), AllOf(HasSubstr("3 tensors do not fit the config"), HasSubstr("model.safetensors"),
                             HasSubstr("'encoder.layer.0.output.dense.bias' is missing"),
                             HasSubstr("'embeddings.LayerNorm.bias' is missing"),
                             HasSubstr("'encoder.layer.1.intermediate.dense.weight' has shape [6, 10], the config wants [10, 6]")));
}

TEST_F(BertWeights, another_model_is_recognised_by_its_names) {
  write({{"roberta.embeddings.LayerNorm.weight", at::zeros({6}, at::kFloat)}});

  EXPECT_THAT(error(), HasSubstr("the file has 'roberta.embeddings.LayerNorm.weight'"));
}

TEST_F(BertWeights, more_layers_than_the_config_has_are_refused) {
  WeightMap stored = weights_;
  stored["encoder.layer.2.output.dense.bias"] = at::zeros({6}, at::kFloat);
  write(stored);

  EXPECT_THAT(error(), HasSubstr("unknown to the config: 'encoder.layer.2.output.dense.bias'"));
}

TEST_F(BertWeights, two_names_for_one_tensor_are_refused) {
  WeightMap stored = weights_;
  stored["embeddings.LayerNorm.gamma"] = at::zeros({6}, at::kFloat);
  write(stored);

  EXPECT_THAT(error(), HasSubstr("'embeddings.LayerNorm.weight' must be stored once"));
}

TEST_F(BertWeights, integers_are_refused) {
  WeightMap stored = weights_;
  stored["embeddings.LayerNorm.bias"] = at::zeros({6}, at::kChar);
  write(stored);

  EXPECT_THAT(error(), AllOf(HasSubstr("must be F16, BF16, F32 or F64, got I8"), HasSubstr("embeddings.LayerNorm.bias")));
}

TEST_F(BertWeights, a_pickle_alone_is_refused_with_the_way_to_convert_it) {
  EXPECT_THAT(error(), HasSubstr("no weights"));

  write_text(folder_.path() / "pytorch_model.bin", "x");

  EXPECT_THAT(error(), AllOf(HasSubstr("got only pytorch_model.bin"), HasSubstr("save_pretrained")));
}

// ---- sharded weights ----

class ShardedWeights : public BertWeights {
 protected:
  // Every tensor in turn to the first and the second shard.
  ShardedWeights() {
    std::size_t i = 0;
    for (const auto& [name, tensor] : weights_) {
      const std::string shard = str("model-0000", i++ % 2 + 1, "-of-00002.safetensors");
      map_[name] = shard;
      shards_[shard][name] = tensor;
    }
  }
  void write_shards() const {
    for (const auto& [shard, tensors] : shards_) write_tensors(folder_.path() / shard, tensors);
  }
  void write_index() const {
    std::string entries;
    for (const auto& [name, shard] : map_) entries += str(entries.empty() ? "" : ",", '"', name, "\":\"", shard, '"');
    write_index(R"({"metadata":{"total_size":1},"weight_map":{)" + entries + "}}");
  }
  void write_index(const std::string& content) const {
    write_text(folder_.path() / "model.safetensors.index.json", content);
  }
  // The error with one entry of the index changed; the shards are good.
  std::string entry_error(const std::string& shard) {
    map_["embeddings.LayerNorm.bias"] = shard;
    write_index();
    return error();
  }

  std::map<std::string, std::string> map_;
  std::map<std::string, WeightMap> shards_;
};

TEST_F(ShardedWeights, read_back_bit_for_bit) {
  write_shards();
  write_index();

  expect_read(weights_);
}

TEST_F(ShardedWeights, a_single_file_goes_before_an_index) {
  write_index("nonsense");
  write(weights_);

  expect_read(weights_);
}

TEST_F(ShardedWeights, an_index_that_is_no_map_of_names_is_refused) {
  const auto with = [&](const std::string& content) {
    write_index(content);
    return error();
  };
  EXPECT_THAT(with("["), HasSubstr("not JSON"));
  EXPECT_THAT(with("[]"), HasSubstr("must be an object, got array"));
  EXPECT_THAT(with("{}"), HasSubstr("weight_map must be an object that maps tensors to files, got nothing"));
  EXPECT_THAT(with(R"({"weight_map":[]})"), HasSubstr("weight_map must be an object"));
  EXPECT_THAT(with(R"({"weight_map":{}})"), HasSubstr("weight_map must be an object"));
  EXPECT_THAT(with(R"({"weight_map":{"a":1}})"), AllOf(HasSubstr("got number"), HasSubstr("key 'a'")));
  EXPECT_THAT(with(R"({"weight_map":{"a":"x","a":"y"}})"), HasSubstr("duplicate key 'a'"));
}

TEST_F(ShardedWeights, names_that_lead_out_of_the_directory_are_refused) {
  write_shards();
  EXPECT_THAT(entry_error(""), HasSubstr("must not be empty"));
  EXPECT_THAT(entry_error("/etc/passwd"), AllOf(HasSubstr("must not be absolute"), HasSubstr("'embeddings.LayerNorm.bias'")));
  EXPECT_THAT(entry_error(".."), HasSubstr("must not climb out"));
  EXPECT_THAT(entry_error("."), HasSubstr("must not climb out"));
  EXPECT_THAT(entry_error("../x.safetensors"), HasSubstr("must not climb out"));
  EXPECT_THAT(entry_error("a/../../x.safetensors"), HasSubstr("must not climb out"));
  EXPECT_THAT(entry_error("a/x.safetensors"), HasSubstr("must not name a folder"));
  EXPECT_THAT(entry_error(R"(a\\x.safetensors)"), HasSubstr("must not name a folder"));
  EXPECT_THAT(entry_error("C:x.safetensors"), HasSubstr("must not name a drive"));
  EXPECT_THAT(entry_error(R"(x\u0000.safetensors)"), HasSubstr("must not hold control characters"));
  EXPECT_THAT(entry_error(R"(x\n.safetensors)"), HasSubstr("must not hold control characters"));
  EXPECT_THAT(entry_error(std::string(5000, 'x')), HasSubstr("at most 255 bytes"));
}

TEST_F(ShardedWeights, files_that_are_not_shards_are_refused) {
  write_shards();
  EXPECT_THAT(entry_error("absent.safetensors"), HasSubstr("is missing in"));
  EXPECT_THAT(entry_error("model.safetensors.index.json"), HasSubstr("must be a .safetensors file"));
  fs::create_directory(folder_.path() / "folder.safetensors");
  EXPECT_THAT(entry_error("folder.safetensors"), HasSubstr("must be a regular file"));
  ASSERT_EQ(::mkfifo((folder_.path() / "fifo.safetensors").c_str(), 0600), 0);
  EXPECT_THAT(entry_error("fifo.safetensors"), HasSubstr("must be a regular file"));
}

TEST_F(ShardedWeights, links_that_lead_out_of_the_directory_are_refused) {
  const test::TemporaryFolder outside;
  write_shards();
  write_tensors(outside.path() / "x.safetensors", weights_);
  fs::create_symlink(outside.path() / "x.safetensors", folder_.path() / "link.safetensors");
  fs::create_symlink("loop.safetensors", folder_.path() / "loop.safetensors");
  fs::create_symlink("nothing", folder_.path() / "dangling.safetensors");

  EXPECT_THAT(entry_error("link.safetensors"), HasSubstr("must not lead out of the directory"));
  EXPECT_THAT(entry_error("loop.safetensors"), HasSubstr("leads nowhere"));
  EXPECT_THAT(entry_error("dangling.safetensors"), HasSubstr("leads nowhere"));
}

TEST_F(ShardedWeights, a_folder_whose_name_begins_alike_is_outside_too) {
  const fs::path sibling = folder_.path().string() + "-evil";
  write_shards();
  write_tensors(sibling, {});
  fs::create_symlink(sibling, folder_.path() / "link.safetensors");

  EXPECT_THAT(entry_error("link.safetensors"), HasSubstr("must not lead out of the directory"));
  fs::remove_all(sibling);
}

TEST_F(ShardedWeights, a_link_within_the_directory_is_followed) {
  write_shards();
  write_index();
  fs::rename(folder_.path() / "model-00001-of-00002.safetensors", folder_.path() / "blob");
  fs::create_symlink("blob", folder_.path() / "model-00001-of-00002.safetensors");

  expect_read(weights_);
}

TEST_F(ShardedWeights, a_link_of_a_hugging_face_cache_is_followed) {
  const test::TemporaryFolder cache;
  const fs::path snapshot = cache.path() / "models--x" / "snapshots" / "0123";
  const fs::path blobs = cache.path() / "models--x" / "blobs";
  write_shards();
  write_index();
  fs::create_directories(snapshot);
  fs::create_directories(blobs);
  for (const auto& file : fs::directory_iterator(folder_.path())) {
    fs::rename(file.path(), blobs / file.path().filename());
    fs::create_symlink(fs::path("../../blobs") / file.path().filename(), snapshot / file.path().filename());
  }

  const WeightMap got = read_bert_weights(snapshot, tiny_config());

  EXPECT_EQ(got.size(), weights_.size());
}

TEST_F(ShardedWeights, a_tensor_in_two_shards_is_refused) {
  shards_["model-00001-of-00002.safetensors"] = weights_;
  write_shards();
  write_index();

  EXPECT_THAT(error(), AllOf(HasSubstr("must be in one shard"), HasSubstr("index.json")));
}

TEST_F(ShardedWeights, a_tensor_that_its_shard_lacks_is_refused) {
  shards_[map_["embeddings.LayerNorm.bias"]].erase("embeddings.LayerNorm.bias");
  write_shards();
  write_index();

  EXPECT_THAT(error(), HasSubstr("'embeddings.LayerNorm.bias' is absent from the shard"));
}

TEST_F(ShardedWeights, a_tensor_that_no_shard_has_is_missing) {
  map_.erase("embeddings.LayerNorm.bias");
  write_shards();
  write_index();

  EXPECT_THAT(error(), HasSubstr("'embeddings.LayerNorm.bias' is missing"));
}

// ---- a real checkpoint ----

TEST(MiniLm, reads_whole) {
  const fs::path path = cached_model("all-MiniLM-L6-v2");
  if (!fs::exists(path / "model.safetensors")) GTEST_SKIP() << "no checkpoint in " << path;

  const HfDirectory directory = read_hf_directory(path);
  const WeightMap weights = read_bert_weights(directory.transformer, directory.config);

  EXPECT_EQ(directory.config.hidden_size, 384);
  EXPECT_EQ(directory.config.layers, 6);
  EXPECT_EQ(directory.pooling, Pooling::mean);
  EXPECT_TRUE(directory.normalize);
  EXPECT_EQ(directory.max_length, 256);
  EXPECT_EQ(weights.size(), 5u + 6u * 16u);
  for (const auto& [name, tensor] : weights) EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << name;
}

}  // namespace
}  // namespace coterie::model
