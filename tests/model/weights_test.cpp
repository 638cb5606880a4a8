// Extension to experts and domain tokens changes no embedding; cutting one domain out of a trained model changes none
// for that domain.
#include "model/weights.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "data/batch.h"
#include "model/sentence_encoder.h"
#include "tests/harness/packing.h"
#include "tests/harness/tiny_model.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using test::kTinyCls;
using test::same_bits;
using test::tiny_spec;
using test::tiny_weights;
using testing::HasSubstr;

constexpr const char* kWords = "embeddings.word_embeddings.weight";

std::vector<std::string> names_of(const std::vector<TensorSpec>& tensors) {
  std::vector<std::string> names;
  for (const TensorSpec& tensor : tensors) names.push_back(tensor.name);
  return names;
}

/// Texts of different lengths, all of one domain.
data::PackedSequences texts(std::int32_t domain) {
  data::PackedSequences packed;
  test::append(packed, {2, 7, 8, 9, 3}, 16, domain, 0);
  test::append(packed, {2, 30, 3}, 16, domain, 1);
  test::append(packed, {2, 5, 5, 39, 12, 21, 33, 6, 17, 3}, 16, domain, 2);
  return packed;
}

/// In double, so that only what the weights say can differ.
at::Tensor embed(const ModelSpec& spec, const Weights& weights, std::int32_t domain) {
  const dist::Mesh mesh = dist::Mesh::solo();
  const SentenceEncoder model = make_sentence_encoder(spec, weights, mesh, at::kDouble);
  return model.encoder->embed(texts(domain), {}).detach();
}

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(ModelTensors, of_a_dense_model_are_those_of_bert) {
  EXPECT_EQ(model_tensors(tiny_spec(), {}), bert_tensors(test::tiny_bert()));
}

TEST(ModelTensors, have_experts_in_the_place_of_the_mlps_and_rows_for_domain_tokens) {
  const ModelSpec spec = tiny_spec({"a", "b", "c"}, {1});

  const auto tensors = model_tensors(spec, {0, 3});

  const auto names = names_of(tensors);
  EXPECT_EQ(tensors[0], (TensorSpec{kWords, {43, 8}}));
  EXPECT_THAT(names, testing::Contains("encoder.layer.0.intermediate.dense.weight"));
  EXPECT_THAT(names, testing::Not(testing::Contains("encoder.layer.1.intermediate.dense.weight")));
  for (const int e : {0, 1, 2})
    for (const char* part :
         {"intermediate.dense.weight", "intermediate.dense.bias", "output.dense.weight", "output.dense.bias"})
      EXPECT_THAT(names, testing::Contains(str("encoder.layer.1.experts.", e, ".", part)));
  // 4 tensors of one layer's MLP become 3 * 4.
  EXPECT_EQ(tensors.size(), bert_tensors(spec.bert).size() + 8);
}

TEST(ModelTensors, of_a_rank_hold_its_experts_only) {
  const auto names = names_of(model_tensors(tiny_spec({"a", "b", "c", "d"}, {0, 1}), {2, 2}));

  for (const int layer : {0, 1})
    for (const int e : {0, 1, 2, 3}) {
      const std::string name = str("encoder.layer.", layer, ".experts.", e, ".output.dense.bias");
      EXPECT_EQ(std::count(names.begin(), names.end(), name), e < 2 ? 0 : 1) << name;
    }
}

TEST(ModelTensors, do_not_take_the_attentions_output_for_the_mlps) {
  const auto names = names_of(model_tensors(tiny_spec({"a", "b"}, {0, 1}), {0, 2}));

  EXPECT_THAT(names, testing::Contains("encoder.layer.0.attention.output.dense.weight"));
  EXPECT_THAT(names, testing::Contains("encoder.layer.0.output.LayerNorm.weight"));
}

TEST(Extension, copies_the_row_of_cls_and_every_mlp) {
  const ModelSpec spec = tiny_spec({"a", "b", "c"}, {0, 1});
  const Weights dense = tiny_weights(tiny_spec(), 3);

  const Weights extended = extend_weights(dense, spec, kTinyCls, {1});

  const at::Tensor& rows = extended.at(kWords);
  ASSERT_EQ(rows.size(0), 43);
  EXPECT_TRUE(same_bits(rows.narrow(0, 0, 40), dense.at(kWords)));
  for (const std::int64_t d : {40, 41, 42}) EXPECT_TRUE(same_bits(rows[d], dense.at(kWords)[kTinyCls]));
  for (const int e : {0, 1, 2})
    EXPECT_TRUE(same_bits(extended.at(str("encoder.layer.1.experts.", e, ".output.dense.weight")),
                          dense.at("encoder.layer.1.output.dense.weight")));
  std::vector<std::string> names;
  for (const auto& [name, tensor] : extended) names.push_back(name);
  EXPECT_THAT(names, testing::UnorderedElementsAreArray(names_of(model_tensors(spec, {0, 3}))));
}

TEST(Extension, leaves_the_dense_weights_as_they_were) {
  const Weights dense = tiny_weights(tiny_spec(), 3);
  const at::Tensor before = dense.at(kWords).clone();

  (void)extend_weights(dense, tiny_spec({"a"}, {0}), kTinyCls, {1});

  EXPECT_TRUE(same_bits(dense.at(kWords), before));
}

// The sum over one expert of weight 1 is the MLP itself, in the same order of additions.
TEST(Extension, changes_no_embedding) {
  const Weights dense = tiny_weights(tiny_spec(), 5);
  const at::Tensor expected = embed(tiny_spec(), dense, -1);

  for (const auto& layers : std::vector<std::vector<std::int64_t>>{{}, {1}, {0, 1}})
    for (const std::int32_t domain : {0, 1, 2}) {
      const ModelSpec spec = tiny_spec({"a", "b", "c"}, layers);
      EXPECT_LE(distance(embed(spec, extend_weights(dense, spec, kTinyCls, {1}), domain), expected), 1e-14);
    }
}

TEST(DenseWeights, of_a_domain_embed_as_the_routed_model_does) {
  const ModelSpec spec = tiny_spec({"a", "b", "c"}, {0, 1});
  const Weights trained = tiny_weights(spec, 7);
  std::vector<at::Tensor> routed;
  for (const std::int32_t domain : {0, 1, 2}) routed.push_back(embed(spec, trained, domain));

  for (const std::int32_t domain : {0, 1, 2}) {
    const Weights cut = dense_weights(trained, spec, domain, kTinyCls);
    EXPECT_LE(distance(embed(tiny_spec(), cut, -1), routed[static_cast<std::size_t>(domain)]), 1e-14) << domain;
  }
  // The domains differ, or the above would say nothing.
  EXPECT_GT(distance(routed[0], routed[1]), 1e-3);
  EXPECT_GT(distance(routed[1], routed[2]), 1e-3);
}

TEST(DenseWeights, are_exactly_the_tensors_of_bert) {
  const ModelSpec spec = tiny_spec({"a", "b"}, {1});

  const Weights cut = dense_weights(tiny_weights(spec, 7), spec, 1, kTinyCls);

  std::vector<std::string> names;
  for (const auto& [name, tensor] : cut) names.push_back(name);
  EXPECT_THAT(names, testing::UnorderedElementsAreArray(names_of(bert_tensors(spec.bert))));
  EXPECT_EQ(cut.at(kWords).size(0), 40);
}

TEST(DenseWeights, leave_the_trained_weights_as_they_were) {
  const ModelSpec spec = tiny_spec({"a", "b"}, {1});
  const Weights trained = tiny_weights(spec, 7);
  const at::Tensor before = trained.at(kWords).clone();

  (void)dense_weights(trained, spec, 1, kTinyCls);

  EXPECT_TRUE(same_bits(trained.at(kWords), before));
}

TEST(Declaring, names_the_tensor_that_is_missing_or_has_another_shape) {
  const ModelSpec spec = tiny_spec({"a", "b"}, {1});
  const std::string name = "encoder.layer.1.experts.1.output.dense.bias";
  Weights lacking = tiny_weights(spec, 7);
  lacking.erase(name);
  Weights misshapen = tiny_weights(spec, 7);
  misshapen[name] = at::zeros({9});

  EXPECT_THAT(test::data_error([&] {
                (void)declare(spec, {0, 2}, lacking);
              }),
              HasSubstr("tensor '" + name + "' is missing"));
  EXPECT_THAT(test::data_error([&] {
                (void)declare(spec, {0, 2}, misshapen);
              }),
              HasSubstr("tensor '" + name + "' must have shape [8], got [9]"));
  EXPECT_NO_THROW((void)declare(spec, {0, 1}, lacking)) << "a rank needs its own experts only";
}

TEST(Declaring, shares_experts_over_the_data_axis_and_decays_weights_only) {
  const ModelSpec spec = tiny_spec({"a", "b"}, {1});

  const auto declarations = declare(spec, {0, 2}, tiny_weights(spec, 7));

  std::map<std::string, kernels::ParameterKind> kinds;
  for (const auto& declaration : declarations) kinds[declaration.name] = declaration.kind;
  const auto kind = [](kernels::Sharing sharing, kernels::Decay decay) {
    return kernels::ParameterKind{sharing, decay, kernels::Rate::encoder};
  };
  using kernels::Decay;
  using kernels::Sharing;
  EXPECT_TRUE(kinds.at(kWords) == kind(Sharing::replicated, Decay::yes));
  EXPECT_TRUE(kinds.at("encoder.layer.0.intermediate.dense.weight") == kind(Sharing::replicated, Decay::yes));
  EXPECT_TRUE(kinds.at("encoder.layer.1.experts.0.output.dense.weight") == kind(Sharing::expert, Decay::yes));
  EXPECT_TRUE(kinds.at("encoder.layer.1.experts.0.output.dense.bias") == kind(Sharing::expert, Decay::no));
  EXPECT_TRUE(kinds.at("encoder.layer.1.output.LayerNorm.weight") == kind(Sharing::replicated, Decay::no));
  EXPECT_TRUE(kinds.at("encoder.layer.0.attention.self.query.bias") == kind(Sharing::replicated, Decay::no));
}

TEST(Declaring, gives_the_head_and_nothing_else_a_rate_of_its_own) {
  ModelSpec spec = tiny_spec({"a", "b"}, {1});
  spec.head = experts::HeadKind::sb_moe;
  spec.head_experts = 2;
  int of_head = 0;

  for (const auto& declaration : declare(spec, all_experts(spec), tiny_weights(spec, 7))) {
    const bool head = declaration.name.starts_with("head.");
    of_head += head ? 1 : 0;
    EXPECT_EQ(declaration.kind.rate, head ? kernels::Rate::head : kernels::Rate::encoder) << declaration.name;
    const bool expert = declaration.name.find(".experts.") != std::string::npos;
    EXPECT_EQ(declaration.kind.sharing, expert ? kernels::Sharing::expert : kernels::Sharing::replicated)
        << declaration.name;
  }
  EXPECT_EQ(of_head, 6 + 2 * 4);
}

}  // namespace
}  // namespace coterie::model
