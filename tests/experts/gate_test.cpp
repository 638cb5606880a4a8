// A gate's noise, jitter and balance.
#include "experts/gate.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/harness/tensors.h"

namespace coterie::experts {
namespace {

constexpr std::int64_t kUnits = 6;
constexpr std::int64_t kGates = 5;
constexpr std::int64_t kDim = 4;

kernels::TokenPlaces places_of(std::int64_t first, std::int64_t count) {
  kernels::TokenPlaces places;
  for (std::int64_t u = first; u < first + count; ++u) {
    places.sequence.push_back(u / 3);
    places.token.push_back(u % 3);
  }
  return places;
}

struct GateCase : testing::Test {
  const at::Tensor units = test::random_leaf({kUnits, kDim}, 1);
  const at::Tensor weight = test::random_leaf({kGates, kDim}, 2);
  const kernels::TokenPlaces places = places_of(0, kUnits);
};

TEST_F(GateCase, noise_of_a_unit_depends_on_its_place_and_not_on_its_batch_mates) {
  const Gate gate({weight, {}}, 2);
  const RouterNoise noise{0.3, 0.7, {5}};

  const GateDecision all = gate.decide(units, places, noise, nullptr);
  const GateDecision rest = gate.decide(units.narrow(0, 4, 2), places_of(4, 2), noise, nullptr);

  EXPECT_LT(test::distance(all.logits_UE.narrow(0, 4, 2), rest.logits_UE), 1e-15);
}

TEST_F(GateCase, noise_adds_normal_numbers_and_jitter_multiplies_the_input) {
  const Gate gate({weight, {}}, 1);
  const RandomKey key{5};

  const at::Tensor noisy = gate.decide(units, places, {0.0, 0.7, key}, nullptr).logits_UE;
  const at::Tensor jittered = gate.decide(units, places, {0.3, 0.0, key}, nullptr).logits_UE;

  const at::Tensor normal = normal_noise(places, kGates, key, at::kDouble);
  const at::Tensor factors = jitter_factors(places, kDim, 0.3, key, at::kDouble);
  for (std::int64_t u = 0; u < kUnits; ++u)
    for (std::int64_t e = 0; e < kGates; ++e) {
      EXPECT_NEAR(noisy[u][e].item<double>(), ((units[u] * weight[e]).sum() + 0.7 * normal[u][e]).item<double>(),
                  1e-14);
      EXPECT_NEAR(jittered[u][e].item<double>(), (units[u] * factors[u] * weight[e]).sum().item<double>(), 1e-14);
    }
}

// Where 0 / 0 is no weight: the probability of the second expert is 0 in fp32, and the balance chooses it.
TEST(Gate, weighs_an_expert_of_no_probability_that_the_balance_chooses) {
  for (const std::int64_t top_k : {1, 2}) {
    const at::Tensor weight = at::tensor({200.0F, 0.0F, -200.0F}).view({3, 1}).requires_grad_();
    const Gate gate({weight, at::tensor({0.0F, 10.0F, 10.0F})}, top_k);

    const GateDecision decision = gate.decide(at::ones({1, 1}), places_of(0, 1), {}, nullptr);
    decision.weight_UK.sum().backward();

    EXPECT_NEAR(decision.weight_UK.sum().item<double>(), 1.0, 1e-6) << top_k;
    EXPECT_TRUE(weight.grad().isfinite().all().item<bool>()) << weight.grad();
  }
}

TEST_F(GateCase, the_balance_decides_who_is_chosen_and_never_the_weight) {
  const at::Tensor balance = at::tensor({0.0, 0.0, 10.0, 0.0, 0.0}, at::kDouble);
  const Gate plain({weight, {}}, 2);
  const Gate balanced({weight, balance}, 2);

  const GateDecision decision = balanced.decide(units, {}, {}, nullptr);

  EXPECT_TRUE(at::equal(decision.expert_UK.select(1, 0), at::full({kUnits}, 2, at::kLong)));
  EXPECT_TRUE(at::equal(decision.probability_UE, plain.decide(units, {}, {}, nullptr).probability_UE));
  EXPECT_TRUE(at::equal(decision.weight_UK, plain.decide(units, {}, {}, &decision.expert_UK).weight_UK));
}

// 40 000 draws: mean and variance of a standard normal are off by less than five deviations, 1 / 200 and sqrt(2) / 200.
TEST(NormalNoise, is_standard_normal) {
  const at::Tensor noise = normal_noise(places_of(0, 10000), 4, {3}, at::kDouble);

  EXPECT_NEAR(noise.mean().item<double>(), 0.0, 0.025);
  EXPECT_NEAR(noise.square().mean().item<double>(), 1.0, 0.036);
  // A share of 0.3173 lies outside one deviation; its deviation is 0.0023.
  EXPECT_NEAR((noise.abs() > 1).to(at::kDouble).mean().item<double>(), 0.3173, 0.012);
}

TEST(JitterFactors, are_uniform_around_one) {
  const at::Tensor factors = jitter_factors(places_of(0, 10000), 4, 0.2, {3}, at::kDouble);

  EXPECT_GE(factors.min().item<double>(), 0.8);
  EXPECT_LT(factors.max().item<double>(), 1.2);
  // The deviation of one is 0.2 / sqrt(3) = 0.115.
  EXPECT_NEAR(factors.mean().item<double>(), 1.0, 5 * 0.115 / 200);
}

}  // namespace
}  // namespace coterie::experts
