// Right after extension a model embeds as the dense one does, and each domain's extracted model as the routed one.
// Runs at 1, 2 and 4 ranks: the experts lie on all of them.
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "model/sentence_encoder.h"
#include "tests/harness/packing.h"
#include "tests/harness/tiny_model.h"

namespace coterie::model {
namespace {

// The published bound of function-preserving extension in fp32.
constexpr double kBound = 1e-6;
const std::vector<std::string> kDomains = {"w", "x", "y", "z"};

// Sequences that begin with [CLS], in all domains but, with `rank`, not the same on every rank.
data::PackedSequences texts(std::int64_t seed) {
  data::PackedSequences packed;
  for (std::int64_t i = 0; i < 7; ++i) {
    std::vector<std::int32_t> ids = {static_cast<std::int32_t>(test::kTinyCls)};
    for (std::int64_t t = 0; t < 3 + (i * 5 + seed) % 9; ++t)
      ids.push_back(static_cast<std::int32_t>(5 + (i * 11 + t * 7 + seed) % 35));
    test::append(packed, ids, 16, static_cast<std::int32_t>(i % 4), i);
    packed.expert.push_back(static_cast<std::int32_t>((i + seed) % 4));
  }
  return packed;
}

double max_difference(const at::Tensor& x, const at::Tensor& y) { return (x - y).abs().max().item<double>(); }

class Upcycling : public testing::TestWithParam<std::vector<std::int64_t>> {
 protected:
  Upcycling() : mesh_({.expert = dist::Mesh({}, {}).world().size()}, {}) {}

  at::Tensor embed(const ModelSpec& spec, const Weights& weights, const dist::Mesh& mesh,
                   const data::PackedSequences& packed) {
    const c10::InferenceMode inference;
    return make_sentence_encoder(spec, weights, mesh, at::kFloat).encoder->embed(packed, {});
  }

  dist::Mesh mesh_;
  dist::Mesh solo_ = dist::Mesh::solo();
};

TEST_P(Upcycling, the_extended_model_embeds_as_the_dense_one) {
  const Weights dense = test::tiny_weights(test::tiny_spec(), 3);
  const ModelSpec extended = test::tiny_spec(kDomains, GetParam());
  const data::PackedSequences packed = texts(mesh_.world().rank());

  const at::Tensor routed = embed(extended, extend_weights(dense, extended, test::kTinyCls, {1}), mesh_, packed);

  EXPECT_LE(max_difference(routed, embed(test::tiny_spec(), dense, solo_, packed)), kBound);
}

TEST_P(Upcycling, the_extended_model_with_learned_routes_embeds_as_the_dense_one) {
  const Weights dense = test::tiny_weights(test::tiny_spec(), 3);
  const data::PackedSequences packed = texts(mesh_.world().rank());
  for (const std::int64_t top_k : {1, 3}) {
    ModelSpec extended = test::tiny_spec();
    extended.expert_layers = GetParam();
    if (extended.expert_layers.empty()) continue;
    extended.router = experts::RouterKind::top_k_token;
    extended.expert_count = 8;
    extended.top_k = top_k;

    const at::Tensor routed = embed(extended, extend_weights(dense, extended, test::kTinyCls, {1}), mesh_, packed);

    EXPECT_LE(max_difference(routed, embed(test::tiny_spec(), dense, solo_, packed)), kBound) << "top " << top_k;
  }
}

TEST_P(Upcycling, the_extended_model_embeds_as_the_dense_one_under_every_router_and_with_every_kind_of_expert) {
  using experts::RouterKind;
  if (GetParam().empty()) return;
  const Weights dense = test::tiny_weights(test::tiny_spec(), 3);
  const data::PackedSequences packed = texts(mesh_.world().rank());
  const at::Tensor expected = embed(test::tiny_spec(), dense, solo_, packed);
  // Noise on gates changes who is chosen, not the sum of the weights.
  const Noise noise{0.0, 0.0, {4}, 0.2, 0.5, Mode::training};
  for (const RouterKind router :
       {RouterKind::domain, RouterKind::top_k_token, RouterKind::token_type, RouterKind::index,
        RouterKind::switch_sentence, RouterKind::top_k_sentence, RouterKind::random})
    for (const experts::MlpKind mlp : {experts::MlpKind::plain, experts::MlpKind::glu})
      for (const bool shared : {false, true}) {
        ModelSpec extended = test::tiny_spec(kDomains, GetParam());
        extended.router = router;
        extended.expert_mlp = mlp;
        extended.shared_expert = shared;
        extended.router_balance = experts::learns(router);
        extended.top_k = router == RouterKind::top_k_token || router == RouterKind::top_k_sentence ? 3 : 1;
        SCOPED_TRACE(str(experts::kRouterNames[static_cast<std::size_t>(router)], shared ? ", shared" : "",
                         mlp == experts::MlpKind::glu ? ", glu" : ""));

        const Weights weights = extend_weights(dense, extended, test::kTinyCls, {1});

        EXPECT_TRUE(not_preserving(extended, 0.0, "").empty());
        EXPECT_LE(max_difference(embed(extended, weights, mesh_, packed), expected), kBound);
        const c10::InferenceMode inference;
        const SentenceEncoder model = make_sentence_encoder(extended, weights, mesh_, at::kFloat);
        EXPECT_LE(max_difference(model.encoder->embed(packed, noise), expected), kBound) << "with noise";
      }
}

// Experts are copies, so their products round as the dense ones do; over fewer rows a product may add in another order
// and round to the neighbouring number, at most 2^-7 of itself away. Embeddings are of norm 1.
TEST_P(Upcycling, the_extended_model_embeds_in_bf16_as_the_dense_one) {
  const Weights dense = test::tiny_weights(test::tiny_spec(), 3);
  const data::PackedSequences packed = texts(mesh_.world().rank());
  const kernels::Dtypes bf16{at::kFloat, at::kBFloat16};
  const c10::InferenceMode inference;
  const auto embed_in_bf16 = [&](const ModelSpec& spec, const Weights& weights, const dist::Mesh& mesh) {
    return make_sentence_encoder(spec, weights, mesh, bf16).encoder->embed(packed, {});
  };
  const at::Tensor expected = embed_in_bf16(test::tiny_spec(), dense, solo_);
  ModelSpec learned = test::tiny_spec();
  learned.expert_layers = GetParam();
  if (!learned.expert_layers.empty()) learned.router = experts::RouterKind::top_k_token;
  learned.expert_count = learned.expert_layers.empty() ? 0 : 8;
  for (const ModelSpec& extended : {test::tiny_spec(kDomains, GetParam()), learned})
    EXPECT_LE(
        max_difference(embed_in_bf16(extended, extend_weights(dense, extended, test::kTinyCls, {1}), mesh_), expected),
        std::ldexp(1.0, -7));
  EXPECT_GT(max_difference(expected, embed(test::tiny_spec(), dense, solo_, packed)), 1e-6) << "it must be in bf16";
}

TEST_P(Upcycling, what_cannot_preserve_the_embeddings_says_so) {
  if (GetParam().empty()) return;
  const Weights dense = test::tiny_weights(test::tiny_spec(), 3);
  const data::PackedSequences packed = texts(mesh_.world().rank());
  const at::Tensor expected = embed(test::tiny_spec(), dense, solo_, packed);
  ModelSpec heads = test::tiny_spec(kDomains, GetParam());
  heads.router = experts::RouterKind::multi_head;
  heads.heads = 2;
  ModelSpec head = test::tiny_spec();
  head.head = experts::HeadKind::sb_moe;
  head.head_experts = 4;
  ModelSpec both = heads;
  both.head = head.head;
  both.head_experts = head.head_experts;
  const ModelSpec noisy = test::tiny_spec(kDomains, GetParam());
  const std::string of_heads = "multi_head replaces the MLPs of its layers by new ones for parts of a token";
  const std::string of_head = "the head adds the outputs of new experts";
  for (const auto& [extended, copy_noise, reasons] :
       {std::tuple{heads, 0.0, std::vector{of_heads}}, std::tuple{head, 0.0, std::vector{of_head}},
        std::tuple{both, 0.0, std::vector{of_heads, of_head}},
        std::tuple{noisy, 0.1, std::vector<std::string>{"experts.copy_noise disturbs the copies of an MLP"}}}) {
    EXPECT_EQ(not_preserving(extended, copy_noise, ""), reasons);
    for (const experts::MlpKind mlp : {experts::MlpKind::plain, experts::MlpKind::glu})
      for (const bool shared : {false, true}) {
        ModelSpec each = extended;
        if (!each.expert_layers.empty()) each.expert_mlp = mlp;
        each.shared_expert = shared && !each.expert_layers.empty();
        const Weights weights = extend_weights(dense, each, test::kTinyCls, {1}, copy_noise);
        EXPECT_GT(max_difference(embed(each, weights, mesh_, packed), expected), 1e-4) << reasons.front();
      }
  }
}

TEST_P(Upcycling, the_dense_baseline_is_the_dense_model_with_every_kind_of_expert) {
  if (GetParam().empty()) return;
  const Weights dense = test::tiny_weights(test::tiny_spec(), 3);
  const data::PackedSequences packed = texts(0);
  const at::Tensor expected = embed(test::tiny_spec(), dense, solo_, packed);
  for (const experts::MlpKind mlp : {experts::MlpKind::plain, experts::MlpKind::glu})
    for (const bool shared : {false, true}) {
      ModelSpec one = test::tiny_spec();
      one.expert_layers = GetParam();
      one.router = experts::RouterKind::dense;
      one.expert_count = 1;
      one.expert_mlp = mlp;
      one.shared_expert = shared;
      SCOPED_TRACE(str(shared ? "shared" : "alone", mlp == experts::MlpKind::glu ? ", glu" : ""));

      const Weights weights = extend_weights(dense, one, test::kTinyCls, {1});

      EXPECT_TRUE(not_preserving(one, 0.0, "").empty());
      EXPECT_LE(max_difference(embed(one, weights, solo_, packed), expected), kBound);
      EXPECT_EQ(not_splitting(one).empty(), !shared && mlp == experts::MlpKind::plain);
    }
}

TEST_P(Upcycling, the_dense_baseline_of_plain_experts_splits_into_the_dense_model) {
  if (GetParam().empty()) return;
  const Weights dense = test::tiny_weights(test::tiny_spec(), 3);
  ModelSpec one = test::tiny_spec();
  one.expert_layers = GetParam();
  one.router = experts::RouterKind::dense;
  one.expert_count = 1;

  const Weights weights = dense_weights(extend_weights(dense, one, test::kTinyCls, {1}), one, -1, test::kTinyCls);

  ASSERT_EQ(weights.size(), dense.size());
  for (const auto& [name, value] : dense) EXPECT_TRUE(at::equal(weights.at(name), value)) << name;
}

TEST_P(Upcycling, the_dense_model_of_a_domain_embeds_as_the_routed_one) {
  const ModelSpec spec = test::tiny_spec(kDomains, GetParam());
  const Weights weights = test::tiny_weights(spec, 4);
  const data::PackedSequences packed = texts(mesh_.world().rank());
  const at::Tensor routed = embed(spec, weights, mesh_, packed);
  for (std::int32_t domain = 0; domain < 4; ++domain) {
    const Weights dense = dense_weights(weights, spec, domain, test::kTinyCls);

    const at::Tensor alone = embed(test::tiny_spec(), dense, solo_, packed);

    for (std::int64_t i = 0; i < packed.sequences(); ++i)
      if (packed.domain[static_cast<std::size_t>(i)] == domain)
        EXPECT_LE(max_difference(alone[i], routed[i]), kBound) << "sequence " << i;
      else
        EXPECT_GT(max_difference(alone[i], routed[i]), 1e-3) << "experts that differ must be seen";
  }
}

INSTANTIATE_TEST_SUITE_P(Layers, Upcycling,
                         testing::Values(std::vector<std::int64_t>{0, 1}, std::vector<std::int64_t>{1},
                                         std::vector<std::int64_t>{}));

TEST(UnknownDomain, a_text_without_a_domain_is_an_error_of_the_data) {
  const dist::Mesh mesh = dist::Mesh::solo();
  const ModelSpec spec = test::tiny_spec(kDomains, {0});
  const SentenceEncoder model = make_sentence_encoder(spec, test::tiny_weights(spec, 4), mesh, at::kFloat);
  data::PackedSequences packed = texts(0);
  packed.domain[2] = -1;

  try {
    (void)model.encoder->embed(packed, {});
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("sequence 2"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace coterie::model
