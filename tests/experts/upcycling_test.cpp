// From dense weights to experts and back.
#include "experts/upcycling.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "dist/solo_group.h"
#include "experts/enforced_router.h"
#include "experts/moe_layer.h"
#include "tests/experts/mlps.h"

namespace coterie::experts {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

using Weights = std::map<std::string, at::Tensor>;

constexpr std::int64_t kLayers = 3;

/// A model of three layers of width 64, in float and with numbers below 0.05, as checkpoints have them.
Weights dense_weights() {
  Weights weights;
  std::uint64_t stream = 0;
  const auto add = [&](const std::string& name, const std::vector<std::int64_t>& sizes) {
    weights[name] = test::random_tensor(sizes, ++stream).mul(0.1).to(at::kFloat);
  };
  add("embeddings.word_embeddings.weight", {5, 64});
  for (std::int64_t n = 0; n < kLayers; ++n) {
    add(dense_tensor(n, "attention.output.dense.weight"), {64, 64});
    add(dense_tensor(n, "intermediate.dense.weight"), {256, 64});
    add(dense_tensor(n, "intermediate.dense.bias"), {256});
    add(dense_tensor(n, "output.dense.weight"), {64, 256});
    add(dense_tensor(n, "output.dense.bias"), {64});
    add(dense_tensor(n, "output.LayerNorm.weight"), {64});
  }
  return weights;
}

Mlp mlp_of(const Weights& weights, const std::string& prefix) {
  return {weights.at(prefix + "intermediate.dense.weight"), weights.at(prefix + "intermediate.dense.bias"),
          weights.at(prefix + "output.dense.weight"), weights.at(prefix + "output.dense.bias")};
}

std::string layers_error(const std::vector<std::string>& wanted) {
  return test::error_of<ConfigError>([&] { static_cast<void>(expert_layers(wanted, 6)); });
}

TEST(ExpertLayers, have_words) {
  EXPECT_THAT(expert_layers({"all"}, 4), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(expert_layers({"none"}, 4), IsEmpty());
  EXPECT_THAT(expert_layers({"middle"}, 6), ElementsAre(3));
  EXPECT_THAT(expert_layers({"middle"}, 5), ElementsAre(2));
}

TEST(ExpertLayers, are_sorted_indices) { EXPECT_THAT(expert_layers({"5", "0", "3"}, 6), ElementsAre(0, 3, 5)); }

TEST(ExpertLayers, refuse_anything_else) {
  for (const std::string text : {"first", "", "1.5", "2 ", " 2", "+2", "0x1", "99999999999999999999"})
    EXPECT_EQ(layers_error({text}), "config: experts.layers must be all, middle, none or indices, got '" + text + "'");
}

TEST(ExpertLayers, refuse_a_word_beside_others) {
  EXPECT_EQ(layers_error({"all", "1"}),
            "config: experts.layers must be one word or indices, got 'all' among 2 entries");
  EXPECT_EQ(layers_error({"1", "none"}),
            "config: experts.layers must be one word or indices, got 'none' among 2 entries");
}

TEST(ExpertLayers, refuse_an_empty_list) {
  EXPECT_EQ(layers_error({}), "config: experts.layers must be all, middle, none or indices, got an empty list");
}

TEST(ExpertLayers, refuse_an_index_out_of_range) {
  EXPECT_EQ(layers_error({"6"}), "config: experts.layers must be in 0..5, got 6");
  EXPECT_EQ(layers_error({"0", "-1"}), "config: experts.layers must be in 0..5, got -1");
}

TEST(ExpertLayers, refuse_an_index_given_twice) {
  EXPECT_EQ(layers_error({"2", "1", "2"}), "config: experts.layers names layer 2 twice");
}

TEST(Upcycling, replaces_the_mlps_of_the_layers_by_copies_and_nothing_else) {
  const Weights dense = dense_weights();
  Weights weights = dense;

  upcycle(weights, {0, 2}, 4);

  std::vector<std::string> expected;
  for (const auto& [name, value] : dense) {
    const bool mlp = name.find("LayerNorm") == std::string::npos && name.find("attention") == std::string::npos &&
                     (name.starts_with("encoder.layer.0.") || name.starts_with("encoder.layer.2."));
    if (!mlp) {
      expected.push_back(name);
      EXPECT_TRUE(weights.at(name).is_same(value)) << name;
      continue;
    }
    for (int e = 0; e < 4; ++e) {
      std::string copy = name;
      copy.insert(std::string("encoder.layer.0.").size(), str("experts.", e, "."));
      expected.push_back(copy);
      EXPECT_TRUE(at::equal(weights.at(copy), value)) << copy;
    }
  }
  std::vector<std::string> names;
  for (const auto& [name, value] : weights) names.push_back(name);
  EXPECT_THAT(names, UnorderedElementsAreArray(expected));
}

TEST(Upcycling, preserves_the_function_under_routing_by_domain) {
  const Weights dense = dense_weights();
  Weights weights = dense;
  upcycle(weights, {1}, 4);
  std::vector<Mlp> copies;
  for (int e = 0; e < 4; ++e) copies.push_back(mlp_of(weights, str("encoder.layer.1.experts.", e, ".")));
  const auto solo = dist::make_solo_group();
  const MoeLayer layer({std::make_shared<EnforcedRouter>(Enforced::domain, 4), Dispatcher(*solo, 4),
                        ExpertFfn(copies, kernels::Activation::gelu)});
  const std::vector<std::int64_t> offsets = {0, 17, 18, 50, 90};
  const std::vector<std::int32_t> domain = {2, 0, 2, 3};
  const at::Tensor tokens_TD = test::random_tensor({90, 64}, 1).to(at::kFloat);

  Plans plans;
  const at::Tensor sparse_TD = layer.forward(tokens_TD, {offsets, domain, {}}, {}, plans);

  const at::Tensor dense_TD = mlp_of(dense, "encoder.layer.1.").forward(tokens_TD, kernels::Activation::gelu);
  // Only the shapes of the matrix products differ, and with them the order of sums: 256 terms of |w h| below 0.05 * 0.2
  // that add up to at most 2.6, rounded at 2^-24 some times. This is also the bound that exact upcycling promises.
  EXPECT_LT(test::distance(sparse_TD, dense_TD), 1e-6);
}

// What noise adds to a copy's tensor.
at::Tensor added(const Weights& weights, std::int64_t layer, std::int64_t expert, const std::string& tensor,
                 const at::Tensor& before) {
  return weights.at(expert_tensor(layer, expert, tensor)).to(at::kDouble) - before.to(at::kDouble);
}

TEST(CopyNoise, on_a_matrix_has_the_stated_share_of_its_standard_deviation_and_differs_from_copy_to_copy) {
  const Weights dense = dense_weights();
  for (const double amount : {0.1, 0.5})
    for (const bool shared : {false, true}) {
      Weights weights = dense;
      upcycle(weights, {0, 2}, 3, {.shared = shared, .copy_noise = amount, .key = {7}});
      std::vector<at::Tensor> all;
      for (const std::int64_t layer : {0, 2})
        for (const std::string tensor : {"intermediate.dense.weight", "output.dense.weight"})
          for (std::int64_t e = 0; e < 3; ++e) {
            // Beside a shared expert a copy has half of the last matrix, hence half of its deviation.
            const bool halved = shared && tensor.starts_with("output");
            const at::Tensor before = dense.at(dense_tensor(layer, tensor)) * (halved ? 0.5 : 1.0);
            const at::Tensor noise = added(weights, layer, e, tensor, before);
            const double deviation = amount * before.to(at::kDouble).std().item<double>();
            // Of 16384 normal numbers the deviation is known to 1 in sqrt(2 * 16384), the mean to 1 in 128 of it; five
            // of these are the bounds.
            EXPECT_NEAR(noise.std().item<double>(), deviation, 5.0 / 181.0 * deviation) << tensor << e;
            EXPECT_NEAR(noise.mean().item<double>(), 0.0, 5.0 / 128.0 * deviation) << tensor << e;
            // The share beyond two deviations of a normal number, 0.0455, is known to 0.0016.
            const double beyond = noise.abs().gt(2.0 * deviation).to(at::kDouble).mean().item<double>();
            EXPECT_NEAR(beyond, 0.0455, 5.0 * 0.0016) << tensor << e;
            all.push_back(noise.flatten() / deviation);
          }
      for (std::size_t i = 0; i < all.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
          // Of independent ones the correlation is known to 1 in 128.
          EXPECT_LT(std::abs((all[i] * all[j]).mean().item<double>()), 5.0 / 128.0) << i << ", " << j;
    }
}

TEST(CopyNoise, leaves_biases_gates_and_the_shared_expert_as_they_are) {
  const Weights dense = dense_weights();
  const Upcycling plain{.mlp = MlpKind::glu, .shared = true, .key = {7}};
  Upcycling noisy = plain;
  noisy.copy_noise = 0.5;
  Weights expected = dense;
  Weights weights = dense;

  upcycle(expected, {1}, 3, plain);
  upcycle(weights, {1}, 3, noisy);

  ASSERT_EQ(weights.size(), expected.size());
  for (const auto& [name, value] : expected) {
    const bool disturbed = name.find(".experts.") != std::string::npos && name.ends_with("dense.weight");
    EXPECT_EQ(at::equal(weights.at(name), value), !disturbed) << name;
  }
}

TEST(CopyNoise, is_a_function_of_its_key) {
  const auto copies = [](std::uint64_t key) {
    Weights weights = dense_weights();
    upcycle(weights, {1}, 2, {.copy_noise = 0.5, .key = {key}});
    return weights.at(expert_tensor(1, 1, "output.dense.weight"));
  };

  EXPECT_TRUE(at::equal(copies(7), copies(7)));
  EXPECT_FALSE(at::equal(copies(7), copies(8)));
}

TEST(Upcycling, of_a_layer_without_an_mlp_is_an_error) {
  Weights weights = dense_weights();

  EXPECT_THAT(test::error_of<ShapeError>([&] { upcycle(weights, {kLayers}, 2); }),
              HasSubstr("upcycling: there is no 'encoder.layer.3.intermediate.dense.weight'"));
}

TEST(ExtractExpert, is_the_reverse) {
  const Weights dense = dense_weights();
  for (std::int64_t e = 0; e < 3; ++e) {
    Weights weights = dense;
    upcycle(weights, {0, 2}, 3);

    extract_expert(weights, {0, 2}, e, 3);

    ASSERT_EQ(weights.size(), dense.size());
    for (const auto& [name, value] : dense) EXPECT_TRUE(weights.at(name).is_same(value)) << name;
  }
}

TEST(ExtractExpert, takes_that_expert) {
  Weights weights = dense_weights();
  upcycle(weights, {1}, 3);
  for (int e = 0; e < 3; ++e) weights[expert_tensor(1, e, "output.dense.bias")] = at::full({64}, e);

  extract_expert(weights, {1}, 2, 3);

  EXPECT_TRUE(at::equal(weights.at(dense_tensor(1, "output.dense.bias")), at::full({64}, 2)));
}

TEST(ExtractExpert, of_a_missing_expert_is_an_error) {
  Weights weights = dense_weights();
  upcycle(weights, {1}, 3);

  EXPECT_THAT(test::error_of<ShapeError>([&] { extract_expert(weights, {1}, 3, 3); }),
              HasSubstr("upcycling: there is no 'encoder.layer.1.experts.3.intermediate.dense.weight'"));
}

}  // namespace
}  // namespace coterie::experts
