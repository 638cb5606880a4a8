// Jitter and noise reach the gate of every layer, and differ from layer to layer and from key to key.
#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include "experts/upcycling.h"
#include "tests/train/layouts.h"

namespace coterie::train {
namespace {

// With equal experts, and one for each token, a route changes nothing in the layers above it.
model::Weights with_equal_experts(const model::ModelSpec& spec) {
  model::Weights weights = test::tiny_weights(spec, 5, at::kDouble);
  for (const std::int64_t layer : spec.expert_layers)
    for (const std::string& tensor : experts::mlp_tensors())
      for (std::int64_t e = 1; e < spec.expert_count; ++e)
        weights[experts::expert_tensor(layer, e, tensor)] = weights.at(experts::expert_tensor(layer, 0, tensor));
  return weights;
}

// Of each layer.
std::vector<at::Tensor> logits(const model::ModelSpec& spec, const model::Weights& weights, const model::Noise& noise) {
  const dist::Mesh mesh = dist::Mesh::solo();
  const auto model = model::make_sentence_encoder(spec, weights, mesh, at::kDouble);
  experts::Plans plans;
  (void)model.encoder->embed(batch_for(0, 1).sequences, noise, plans);
  std::vector<at::Tensor> all;
  for (const experts::RouterRecord& record : plans.records()) all.push_back(record.scores.logits_UE.detach());
  return all;
}

TEST(RouterNoise, and_jitter_reach_the_gate_of_every_layer_and_follow_the_key) {
  for (const experts::RouterKind router : {experts::RouterKind::top_k_token, experts::RouterKind::switch_sentence}) {
    const model::ModelSpec spec = variant("", router, kDomains).spec;
    const model::Weights weights = with_equal_experts(spec);
    const auto plain = logits(spec, weights, {.key = {3}});
    ASSERT_EQ(plain.size(), 2U);
    for (const auto& [jitter, noise] : {std::pair{0.2, 0.0}, std::pair{0.0, 0.3}}) {
      SCOPED_TRACE(str(experts::name_of(router), ", jitter ", jitter, ", noise ", noise));
      const auto disturbed = logits(spec, weights, {.key = {3}, .jitter = jitter, .logits = noise});
      const auto again = logits(spec, weights, {.key = {3}, .jitter = jitter, .logits = noise});
      const auto other = logits(spec, weights, {.key = {4}, .jitter = jitter, .logits = noise});
      for (std::size_t layer = 0; layer < 2; ++layer) {
        EXPECT_GT((disturbed[layer] - plain[layer]).abs().max().item<double>(), 1e-3) << layer;
        EXPECT_GT((disturbed[layer] - other[layer]).abs().max().item<double>(), 1e-3) << layer;
        EXPECT_TRUE(at::equal(disturbed[layer], again[layer])) << layer;
      }
    }
  }
}

// Gates of zero say nothing but their noise.
TEST(RouterNoise, differs_from_layer_to_layer) {
  const model::ModelSpec spec = learned_spec(1);
  model::Weights weights = with_equal_experts(spec);
  for (const std::int64_t layer : spec.expert_layers) weights.at(experts::gate_tensor(layer)).zero_();

  const auto noisy = logits(spec, weights, {.key = {3}, .logits = 0.3});

  EXPECT_GT((noisy.at(0) - noisy.at(1)).abs().max().item<double>(), 0.1);
}

}  // namespace
}  // namespace coterie::train
