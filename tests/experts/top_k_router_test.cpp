// Learned routing of tokens against a loop over them.
#include "experts/top_k_router.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "tests/harness/tensors.h"

namespace coterie::experts {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kTokens = 9;
constexpr std::int64_t kGates = 5;
constexpr std::int64_t kDim = 4;

class TopK : public testing::TestWithParam<std::int64_t> {
 protected:
  [[nodiscard]] std::int64_t k() const { return GetParam(); }

  // Softmax of a token's logits, written out.
  [[nodiscard]] std::vector<double> scores(std::int64_t token) const {
    std::vector<double> out;
    for (std::int64_t e = 0; e < kGates; ++e) out.push_back(std::exp((tokens_[token] * gate_[e]).sum().item<double>()));
    const double sum = std::accumulate(out.begin(), out.end(), 0.0);
    for (double& score : out) score /= sum;
    return out;
  }

  [[nodiscard]] at::Tensor weights(const at::Tensor& tokens) const {
    return router_.route(tokens, layout_, {}, &choice_).weight_S;
  }

  const at::Tensor tokens_ = test::random_leaf({kTokens, kDim}, 1);
  const at::Tensor gate_ = test::random_leaf({kGates, kDim}, 2);
  const TopKRouter router_{Gate({gate_, {}}, GetParam())};
  const std::vector<std::int64_t> offsets_ = {0, 4, kTokens};
  const BatchLayout layout_{offsets_, {}, {}};
  const Choice choice_ = router_.route(tokens_, layout_, {}, nullptr).choice;
};

INSTANTIATE_TEST_SUITE_P(Experts, TopK, testing::Values(1, 2, kGates));

TEST_P(TopK, chooses_the_highest_scores_of_each_token) {
  ASSERT_EQ(choice_.expert_S.numel(), kTokens * k());
  EXPECT_TRUE(at::equal(choice_.token_S, at::arange(kTokens, at::kLong).repeat_interleave(k())));
  for (std::int64_t t = 0; t < kTokens; ++t) {
    const std::vector<double> all = scores(t);
    std::vector<double> sorted = all;
    std::sort(sorted.rbegin(), sorted.rend());
    std::vector<double> chosen;
    for (std::int64_t n = 0; n < k(); ++n)
      chosen.push_back(all[static_cast<std::size_t>(choice_.expert_S[t * k() + n].item<std::int64_t>())]);
    std::sort(chosen.rbegin(), chosen.rend());
    EXPECT_TRUE(std::equal(chosen.begin(), chosen.end(), sorted.begin())) << "token " << t;
  }
}

TEST_P(TopK, weighs_by_the_scores_divided_by_the_sum_of_the_chosen) {
  const at::Tensor weight_S = weights(tokens_);

  for (std::int64_t t = 0; t < kTokens; ++t) {
    const std::vector<double> all = scores(t);
    const auto score = [&](std::int64_t n) {
      return all[static_cast<std::size_t>(choice_.expert_S[t * k() + n].item<std::int64_t>())];
    };
    double sum = 0;
    for (std::int64_t n = 0; n < k(); ++n) sum += score(n);
    // Exponentials and sums of two libraries: some ulp.
    for (std::int64_t n = 0; n < k(); ++n)
      EXPECT_NEAR(weight_S[t * k() + n].item<double>(), score(n) / sum, 1e-14) << "token " << t;
  }
}

TEST_P(TopK, lets_gate_and_tokens_learn_by_the_formula_with_the_sum_of_a_single_score_held_constant) {
  const at::Tensor loss_S = test::random_tensor({kTokens * k()}, 3);

  torch::autograd::backward({(weights(tokens_) * loss_S).sum()});

  EXPECT_GT(gate_.grad().abs().max().item<double>(), 1e-3) << "the gate does not learn";
  EXPECT_GT(tokens_.grad().abs().max().item<double>(), 1e-3) << "the tokens do not learn";
  const c10::NoGradGuard no_grad;
  const at::Tensor scores = at::linear(tokens_, gate_).softmax(-1);
  const at::Tensor fixed = scores.gather(-1, choice_.expert_S.view({-1, k()})).sum(-1, true);
  const auto loss = [&] {
    const at::Tensor chosen = at::linear(tokens_, gate_).softmax(-1).gather(-1, choice_.expert_S.view({-1, k()}));
    return ((chosen / (k() == 1 ? fixed : chosen.sum(-1, true))).flatten() * loss_S).sum().item<double>();
  };
  for (const at::Tensor& leaf : {gate_, tokens_}) {
    double* const elements = leaf.data_ptr<double>();
    for (std::int64_t i = 0; i < leaf.numel(); ++i) {
      const double before = elements[i];
      elements[i] = before + 1e-5;
      const double above = loss();
      elements[i] = before - 1e-5;
      const double below = loss();
      elements[i] = before;
      // Truncation: 1e-10 / 6 times a third derivative below 100; rounding: 2^-53 * 10 / 1e-5.
      EXPECT_NEAR(leaf.grad().flatten()[i].item<double>(), (above - below) / 2e-5, 3e-9)
          << leaf.sizes() << ", element " << i;
    }
  }
}

TEST_P(TopK, runs_its_gate_in_the_master_dtype) {
  const at::Tensor half = tokens_.detach().to(at::kBFloat16);

  // bf16 logits would differ in the third digit.
  EXPECT_TRUE(at::equal(weights(half), weights(half.to(at::kDouble))));
  EXPECT_TRUE(at::equal(router_.route(half, layout_, {}, nullptr).choice.expert_S,
                        router_.route(half.to(at::kDouble), layout_, {}, nullptr).choice.expert_S));
}

TEST_P(TopK, reports_logits_and_probabilities_of_every_token_with_its_sequence) {
  const Scores seen = router_.route(tokens_, layout_, {}, nullptr).scores;

  EXPECT_TRUE(at::equal(seen.logits_UE, at::linear(tokens_, gate_)));
  EXPECT_TRUE(seen.probability_UE.requires_grad());
  for (std::int64_t t = 0; t < kTokens; ++t) {
    EXPECT_EQ(seen.sequence_U[t].item<std::int64_t>(), t < 4 ? 0 : 1);
    for (std::int64_t e = 0; e < kGates; ++e)
      EXPECT_NEAR(seen.probability_UE[t][e].item<double>(), scores(t)[static_cast<std::size_t>(e)], 1e-14);
  }
}

TEST_P(TopK, routes_no_tokens) {
  const at::Tensor none = tokens_.narrow(0, 0, 0);

  EXPECT_EQ(router_.route(none, {}, {}, nullptr).weight_S.numel(), 0);
}

TEST(TopKRouter, does_not_follow_from_the_layout) {
  EXPECT_FALSE(TopKRouter(Gate({at::zeros({2, 3}), {}}, 1)).fixed_by_layout());
}

TEST(TopKRouter, refuses_more_choices_than_experts) {
  for (const std::int64_t k : {0, 9})
    EXPECT_THAT(test::error_of<ConfigError>([&] {
                  Gate({at::zeros({8, 3}), {}}, k);
                }),
                HasSubstr(str("router: top_k must be in 1..8 (the number of experts), got ", k)));
}

TEST(InitialGate, is_uniform_below_one_over_the_root_of_the_width_and_a_function_of_the_key) {
  const at::Tensor gate = initial_gate(64, 100, {7});

  EXPECT_LE(gate.abs().max().item<double>(), 0.1);
  // 6400 draws: the mean is within five deviations, 0.0577 / 80 each.
  EXPECT_NEAR(gate.mean().item<double>(), 0.0, 5 * 0.0577 / 80);
  EXPECT_NEAR(gate.std().item<double>(), 0.1 / std::sqrt(3.0), 2e-3);
  EXPECT_TRUE(at::equal(gate, initial_gate(64, 100, {7})));
  EXPECT_FALSE(at::equal(gate, initial_gate(64, 100, {8})));
}

}  // namespace
}  // namespace coterie::experts
