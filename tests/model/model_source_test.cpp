// What a path given on the command line stands for: a Hugging Face directory, a checkpoint, or a run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "dist/solo_group.h"
#include "model/sentence_encoder.h"
#include "model/source_hash.h"
#include "tests/harness/checkpoint_fixture.h"
#include "tests/harness/temporary_folder.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using test::same_bits;
using testing::HasSubstr;

class Source : public testing::Test {
 protected:
  /// A checkpoint of the run whose state says that step `best` did best.
  void save(std::int64_t step, std::int64_t best) {
    if (!fs::exists(root() / "hf")) test::write_tiny_checkpoint(root() / "hf");
    CheckpointContent content = test::checkpoint_content(step, root() / "hf");
    content.state = str("{\"best_step\": ", best, "}");
    fs::create_directories(run());
    (void)save_checkpoint(*real_file_ops(), *dist::make_solo_group(), run() / "checkpoints", content);
  }
  [[nodiscard]] const fs::path& root() const { return temporary_.path(); }
  [[nodiscard]] fs::path run() const { return root() / "run"; }
  [[nodiscard]] fs::path at_step(std::int64_t step) const { return run() / "checkpoints" / checkpoint_name(step); }

 private:
  test::TemporaryFolder temporary_;
};

TEST_F(Source, hugging_face_directory_is_a_dense_model) {
  test::write_tiny_checkpoint(root() / "hf");

  const ModelSource source = ModelSource::open(root() / "hf");

  EXPECT_FALSE(source.checkpoint);
  EXPECT_EQ(source.spec.bert, test::tiny_bert());
  EXPECT_TRUE(source.spec.domains.empty());
  const Weights expected = test::tiny_weights(test::tiny_spec(), 1);
  const Weights weights = source.read({});
  ASSERT_EQ(weights.size(), expected.size());
  for (const auto& [name, tensor] : expected) EXPECT_TRUE(same_bits(weights.at(name), tensor)) << name;
}

TEST_F(Source, run_is_its_best_checkpoint) {
  save(2, 2);
  save(4, 2);

  EXPECT_EQ(ModelSource::open(run()).folder, at_step(2));
  EXPECT_TRUE(ModelSource::open(run()).checkpoint);
}

TEST_F(Source, run_before_its_first_evaluation_is_its_newest_checkpoint) {
  save(2, -1);
  save(4, -1);

  EXPECT_EQ(ModelSource::open(run()).folder, at_step(4));
}

TEST_F(Source, checkpoint_gives_the_experts_of_a_range) {
  save(2, 2);

  const ModelSource source = ModelSource::open(at_step(2));
  const Weights weights = source.read({1, 1});

  const Weights all = test::checkpoint_weights(2);
  const std::string mine = "encoder.layer.0.experts.1.output.dense.bias";
  EXPECT_TRUE(same_bits(weights.at(mine), all.at(mine)));
  EXPECT_FALSE(weights.contains("encoder.layer.0.experts.0.output.dense.bias"));
}

TEST_F(Source, damaged_checkpoint_is_refused_by_name) {
  save(2, 2);
  fs::resize_file(at_step(2) / "dense.safetensors", 64);

  EXPECT_THAT(test::data_error([&] {
                (void)ModelSource::open(at_step(2)).read({0, 2});
              }),
              HasSubstr((at_step(2) / "dense.safetensors").string()));
}

TEST_F(Source, run_without_a_checkpoint_says_so) {
  fs::create_directories(run());
  test::write_text(run() / "config.toml", "run = \"run\"\n");

  EXPECT_THAT(test::data_error([&] { (void)ModelSource::open(run()); }), HasSubstr("there is no checkpoint yet"));
  fs::create_directories(run() / "checkpoints");
  EXPECT_THAT(test::data_error([&] { (void)ModelSource::open(run()); }), HasSubstr("there is no checkpoint yet"));
}

TEST_F(Source, nothing_under_a_path_is_a_config_error_that_names_it) {
  try {
    (void)ModelSource::open(root() / "absent");
    ADD_FAILURE() << "it was found";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr((root() / "absent").string()));
  }
}

TEST_F(Source, weights_have_a_hash_that_the_rest_of_the_folder_does_not_change) {
  test::write_tiny_checkpoint(root() / "hf", 1);
  const std::string hash = weights_sha256(ModelSource::open(root() / "hf"));

  fs::remove_all(root() / "hf");
  test::write_tiny_checkpoint(root() / "hf", 1);
  test::write_text(root() / "hf" / "README.md", "another text");
  EXPECT_EQ(weights_sha256(ModelSource::open(root() / "hf")), hash);

  fs::remove_all(root() / "hf");
  test::write_tiny_checkpoint(root() / "hf", 2);
  EXPECT_NE(weights_sha256(ModelSource::open(root() / "hf")), hash);
}

TEST_F(Source, weights_in_shards_have_a_hash_of_all_shards) {
  const fs::path folder = test::write_tiny_checkpoint(root() / "hf");
  fs::rename(folder / "model.safetensors", folder / "one.safetensors");
  nlohmann::json map;
  for (const auto& [name, tensor] : test::tiny_weights(test::tiny_spec(), 1)) map[name] = "one.safetensors";
  test::write_text(folder / "model.safetensors.index.json", nlohmann::json{{"weight_map", map}}.dump());
  const ModelSource source = ModelSource::open(folder);
  const std::string hash = weights_sha256(source);

  std::fstream(folder / "one.safetensors", std::ios::in | std::ios::out | std::ios::binary)
      .seekp(-1, std::ios::end)
      .put('x');

  EXPECT_NE(weights_sha256(source), hash);
}

TEST_F(Source, weights_of_a_checkpoint_have_the_hash_of_its_manifest) {
  save(2, 2);
  save(4, 2);

  EXPECT_NE(weights_sha256(ModelSource::open(at_step(2))), weights_sha256(ModelSource::open(at_step(4))));
  EXPECT_EQ(weights_sha256(ModelSource::open(at_step(2))), weights_sha256(ModelSource::open(run())));
}

TEST_F(Source, tokenizer_with_more_ids_than_the_model_has_rows_is_refused) {
  test::write_tiny_checkpoint(root() / "hf");
  std::ofstream(root() / "hf" / "vocab.txt", std::ios::app) << "surplus\n";

  EXPECT_THAT(test::data_error([&] { (void)ModelSource::open(root() / "hf").tokenizer(); }),
              HasSubstr("at most vocab_size (40) ids, got 41"));
}

}  // namespace
}  // namespace coterie::model
