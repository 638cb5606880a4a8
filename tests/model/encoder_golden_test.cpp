// Embeddings and hidden states of all-MiniLM-L6-v2 against those of Hugging Face (golden/minilm).
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "base/npy.h"
#include "model/sentence_encoder.h"
#include "tests/harness/packing.h"
#include "tests/harness/shared_files.h"

namespace coterie::model {
namespace {

// Both run in fp32 with other orders of summation; the published bound of the reference is 1e-5.
constexpr double kBound = 1e-5;

class EncoderGolden : public testing::Test {
 protected:
  void SetUp() override {
    COTERIE_REQUIRE_PATH(test::shared_path("golden/minilm/texts.jsonl"));
    COTERIE_REQUIRE_PATH(test::minilm_path());
    source_ = ModelSource::open(test::minilm_path());
    model_ = make_sentence_encoder(source_.spec, source_.read({}), mesh_, at::kFloat);
    for (const auto& line : test::read_json_lines(test::shared_path("golden/minilm/texts.jsonl")))
      texts_.push_back(line.is_string() ? line.get<std::string>() : line.at("text").get<std::string>());
  }

  at::Tensor golden(const std::string& name) {
    array_ = read_npy(test::shared_path("golden/minilm/" + name));
    return at::from_blob(array_.values.data(), array_.shape, at::kFloat).clone();
  }

  at::Tensor embed(const std::vector<std::string>& texts, std::int64_t max_length) {
    const c10::InferenceMode inference;
    return model_.encoder->embed(test::pack_texts(source_.tokenizer(), texts, max_length), {});
  }

  dist::Mesh mesh_ = dist::Mesh::solo();
  ModelSource source_;
  SentenceEncoder model_;
  std::vector<std::string> texts_;
  NpyArray array_;
};

double max_difference(const at::Tensor& x, const at::Tensor& y) { return (x - y).abs().max().item<double>(); }

TEST_F(EncoderGolden, embeddings_at_256_tokens_are_those_of_the_reference) {
  const at::Tensor expected = golden("embeddings_256.npy");

  const at::Tensor embeddings = embed(texts_, 256);

  ASSERT_EQ(embeddings.sizes(), expected.sizes());
  EXPECT_LE(max_difference(embeddings, expected), kBound);
}

TEST_F(EncoderGolden, embeddings_at_512_tokens_are_those_of_the_reference) {
  const at::Tensor expected = golden("embeddings_512.npy");

  const at::Tensor embeddings = embed(texts_, 512);

  ASSERT_EQ(embeddings.sizes(), expected.sizes());
  EXPECT_LE(max_difference(embeddings, expected), kBound);
}

TEST_F(EncoderGolden, embeddings_in_bf16_point_where_the_reference_points) {
  model_ = make_sentence_encoder(source_.spec, source_.read({}), mesh_, dtypes_of(Precision::bf16));
  for (const std::int64_t length : {256, 512}) {
    const at::Tensor expected = golden("embeddings_" + std::to_string(length) + ".npy");

    const at::Tensor embeddings = embed(texts_, length);

    EXPECT_GE((embeddings * expected).sum(1).min().item<double>(), 0.9995) << length;
    EXPECT_GT(max_difference(embeddings, expected), kBound) << "it ran in fp32";
  }
}

TEST_F(EncoderGolden, hidden_states_of_every_layer_are_those_of_the_reference) {
  const auto versions = nlohmann::json::parse(std::ifstream(test::shared_path("golden/minilm/versions.json")));
  const auto rows = versions.at("hidden_states_text_rows").get<std::vector<std::size_t>>();
  const c10::InferenceMode inference;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const at::Tensor expected = golden("hidden_states_" + std::to_string(k) + ".npy");
    std::vector<at::Tensor> states;

    experts::Plans plans;
    (void)model_.encoder->forward(test::pack_texts(source_.tokenizer(), {texts_[rows[k]]}, 512), {}, plans, &states);

    const at::Tensor all = at::stack(states);
    ASSERT_EQ(all.sizes(), expected.sizes()) << "text " << rows[k];
    // Hidden states are not normalised: values up to about 10, so the bound is relative to the largest.
    EXPECT_LE(max_difference(all, expected), kBound * expected.abs().max().item<double>()) << "text " << rows[k];
  }
}

TEST_F(EncoderGolden, an_embedding_does_not_depend_on_its_batch_mates) {
  const at::Tensor together = embed(texts_, 128);

  for (const std::size_t i : {std::size_t{0}, texts_.size() / 2, texts_.size() - 1}) {
    const at::Tensor alone = embed({texts_[i]}, 128);
    // One model computed in two orders of summation in fp32: the bound that DESIGN 4 publishes for embeddings.
    EXPECT_LE(max_difference(alone[0], together[static_cast<std::int64_t>(i)]), 1e-6) << "text " << i;
  }
}

}  // namespace
}  // namespace coterie::model
