// Routing of whole sequences against a loop over their tokens.
#include "experts/sentence_router.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "tests/harness/tensors.h"

namespace coterie::experts {
namespace {

constexpr std::int64_t kGates = 5;
constexpr std::int64_t kDim = 4;

class Sentence : public testing::TestWithParam<std::int64_t> {
 protected:
  [[nodiscard]] std::int64_t k() const { return GetParam(); }
  [[nodiscard]] Routing route(const Choice* replay = nullptr) const {
    return router_.route(tokens_, layout_, {}, replay);
  }

  // Softmax of the mean over the tokens of their logits, one expert and one token at a time.
  [[nodiscard]] std::vector<double> scores(std::size_t sequence) const {
    std::vector<double> out;
    double sum = 0.0;
    for (std::int64_t e = 0; e < kGates; ++e) {
      double logit = 0.0;
      for (std::int64_t t = offsets_[sequence]; t < offsets_[sequence + 1]; ++t)
        logit += (tokens_[t] * gate_[e]).sum().item<double>();
      out.push_back(std::exp(logit / static_cast<double>(offsets_[sequence + 1] - offsets_[sequence])));
      sum += out.back();
    }
    for (double& score : out) score /= sum;
    return out;
  }

  const std::vector<std::int64_t> offsets_ = {0, 4, 5, 9};
  const std::vector<std::int64_t> index_ = {7, 2, 9};
  const BatchLayout layout_{offsets_, {}, index_};
  const at::Tensor tokens_ = test::random_leaf({9, kDim}, 1);
  const at::Tensor gate_ = test::random_leaf({kGates, kDim}, 2);
  const SentenceRouter router_{Gate({gate_, {}}, GetParam())};
};

INSTANTIATE_TEST_SUITE_P(Experts, Sentence, testing::Values(1, 2, kGates));

TEST_P(Sentence, sends_all_tokens_of_a_sequence_to_its_best_experts_weighed_by_their_scores) {
  const Routing routing = route();

  ASSERT_TRUE(at::equal(routing.choice.token_S, at::arange(9, at::kLong).repeat_interleave(k())));
  for (std::size_t b = 0; b < 3; ++b) {
    const std::vector<double> all = scores(b);
    std::vector<double> sorted = all;
    std::sort(sorted.rbegin(), sorted.rend());
    double sum = 0.0;
    for (std::int64_t n = 0; n < k(); ++n) sum += sorted[static_cast<std::size_t>(n)];
    for (std::int64_t t = offsets_[b]; t < offsets_[b + 1]; ++t)
      for (std::int64_t n = 0; n < k(); ++n) {
        const auto expert = static_cast<std::size_t>(routing.choice.expert_S[t * k() + n].item<std::int64_t>());
        // Means and exponentials of two libraries: some ulp.
        EXPECT_NEAR(all[expert], sorted[static_cast<std::size_t>(n)], 1e-14) << "token " << t;
        EXPECT_NEAR(routing.weight_S[t * k() + n].item<double>(), all[expert] / sum, 1e-14) << "token " << t;
      }
  }
}

TEST_P(Sentence, reports_scores_of_sequences) {
  const Scores seen = route().scores;

  EXPECT_TRUE(at::equal(seen.sequence_U, at::arange(3, at::kLong)));
  for (std::int64_t b = 0; b < 3; ++b)
    for (std::int64_t e = 0; e < kGates; ++e)
      EXPECT_NEAR(seen.probability_UE[b][e].item<double>(),
                  scores(static_cast<std::size_t>(b))[static_cast<std::size_t>(e)], 1e-14);
}

TEST_P(Sentence, a_replay_keeps_the_choice_and_computes_the_weights_again) {
  const Routing first = route();

  const Routing again = route(&first.choice);

  EXPECT_TRUE(at::equal(again.choice.expert_S, first.choice.expert_S));
  EXPECT_TRUE(at::equal(again.weight_S, first.weight_S));
}

// The denominator of a single choice is held constant: the weight's gradient is then that of its probability over the
// probability's value.
TEST_P(Sentence, the_gate_learns_and_so_do_the_tokens) {
  const Choice choice = route().choice;
  std::vector<double> sums;
  for (std::size_t b = 0; b < 3; ++b) {
    const auto row = choice.expert_S.view({9, k()})[offsets_[b]];
    double sum = 0.0;
    for (std::int64_t n = 0; n < k(); ++n) sum += scores(b)[static_cast<std::size_t>(row[n].item<std::int64_t>())];
    sums.push_back(sum);
  }
  const at::Tensor loss_S = test::random_tensor({9 * k()}, 3);

  torch::autograd::backward({(route(&choice).weight_S * loss_S).sum()});

  EXPECT_GT(gate_.grad().abs().max().item<double>(), 1e-4) << "the gate does not learn";
  const auto loss_of = [&](const at::Tensor& tokens, const at::Tensor& gate) {
    at::Tensor loss = at::zeros({}, at::kDouble);
    for (std::size_t b = 0; b < 3; ++b) {
      const at::Tensor mean = tokens.narrow(0, offsets_[b], offsets_[b + 1] - offsets_[b]).mean(0);
      const at::Tensor chosen = gate.mv(mean).softmax(-1).index_select(0, choice.expert_S.view({9, k()})[offsets_[b]]);
      const at::Tensor weight = k() == 1 ? chosen / sums[b] : chosen / chosen.sum();
      for (std::int64_t t = offsets_[b]; t < offsets_[b + 1]; ++t)
        loss = loss + (weight * loss_S.view({9, k()})[t]).sum();
    }
    return loss.item<double>();
  };
  const at::NoGradGuard no_gradient;
  for (const bool of_gate : {false, true}) {
    const at::Tensor& leaf = of_gate ? gate_ : tokens_;
    for (std::int64_t i = 0; i < leaf.numel(); ++i) {
      const auto moved = [&](double step) {
        at::Tensor point = leaf.detach().clone();
        point.mutable_data_ptr<double>()[i] += step;
        return of_gate ? loss_of(tokens_.detach(), point) : loss_of(point, gate_.detach());
      };
      // Truncation: 1e-10 / 6 times a third derivative below 100; rounding: 2^-53 * 10 / 1e-5.
      EXPECT_NEAR(leaf.grad().flatten()[i].item<double>(), (moved(1e-5) - moved(-1e-5)) / 2e-5, 3e-9) << i;
    }
  }
}

TEST_P(Sentence, routes_no_sequences) {
  const std::vector<std::int64_t> none = {0};

  EXPECT_EQ(router_.route(tokens_.narrow(0, 0, 0), {none, {}, {}}, {}, nullptr).weight_S.numel(), 0);
}

TEST(RandomRouter, sends_a_sequence_to_an_expert_that_depends_on_its_place_in_the_global_batch_alone) {
  const std::vector<std::int64_t> offsets = {0, 2, 3, 6};
  const std::vector<std::int64_t> index = {4, 11, 30};
  const RouterNoise noise{0.0, 0.0, {8}};
  const RandomRouter router(6);

  const Choice choice = router.route(at::empty({6, 2}), {offsets, {}, index}, noise, nullptr).choice;

  std::vector<std::int64_t> expected;
  for (std::size_t b = 0; b < 3; ++b)
    expected.insert(expected.end(), static_cast<std::size_t>(offsets[b + 1] - offsets[b]),
                    random_expert(index[b], 6, {8}));
  EXPECT_TRUE(at::equal(choice.expert_S, at::tensor(expected, at::kLong)));
  const std::vector<std::int64_t> counts = router.counts({offsets, {}, index}, noise);
  EXPECT_TRUE(at::equal(at::tensor(counts, at::kLong), choice.expert_S.bincount({}, 6)));
  const std::vector<std::int64_t> alone = {0, 3};
  const std::vector<std::int64_t> third = {30};
  EXPECT_EQ(router.route(at::empty({3, 2}), {alone, {}, third}, noise, nullptr).choice.expert_S[0].item<std::int64_t>(),
            expected.back());
}

TEST(RandomRouter, draws_every_expert_equally_often) {
  std::vector<int> counts(6, 0);
  for (std::int64_t i = 0; i < 6000; ++i) ++counts[static_cast<std::size_t>(random_expert(i, 6, {8}))];

  // The deviation of a count of 1000 is 29.
  for (const int count : counts) EXPECT_NEAR(count, 1000, 145);
}

}  // namespace
}  // namespace coterie::experts
