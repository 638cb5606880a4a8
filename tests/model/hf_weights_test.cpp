// Weights of BERT checkpoints: every variant reads alike, every broken one is refused.
#include "model/hf_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>

#include "base/cache.h"
#include "model/hf_directory.h"
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

  EXPECT_THAT(
      error(),
      AllOf(HasSubstr("3 tensors do not fit the config"), HasSubstr("model.safetensors"),
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

  EXPECT_THAT(error(),
              AllOf(HasSubstr("must be F16, BF16, F32 or F64, got I8"), HasSubstr("embeddings.LayerNorm.bias")));
}

TEST_F(BertWeights, a_pickle_alone_is_refused_with_the_way_to_convert_it) {
  EXPECT_THAT(error(), HasSubstr("no weights"));

  write_text(folder_.path() / "pytorch_model.bin", "x");

  EXPECT_THAT(error(), AllOf(HasSubstr("got only pytorch_model.bin"), HasSubstr("save_pretrained")));
}

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
  EXPECT_THAT(entry_error("/etc/passwd"),
              AllOf(HasSubstr("must not be absolute"), HasSubstr("'embeddings.LayerNorm.bias'")));
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
