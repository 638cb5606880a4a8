// The head behind pooling, on ranks, against a loop over sequences on one.
#include "experts/embedding_head.h"

#include "experts/gate_noise.h"
#include "experts/sentence_router.h"
#include "tests/experts/on_ranks.h"
#include "tests/harness/tensors.h"

namespace coterie::experts {
namespace {

constexpr std::int64_t kDim = 6;
constexpr std::int64_t kHalf = 3;

Bottleneck random_bottleneck(std::int64_t expert) {
  const auto stream = 700 + 10 * static_cast<std::uint64_t>(expert);
  return {test::random_leaf({kHalf, kDim}, stream), test::random_leaf({kHalf}, stream + 1),
          test::random_leaf({kDim, kHalf}, stream + 2), test::random_leaf({kDim}, stream + 3)};
}

HeadGate random_gate() {
  return {test::random_leaf({kHalf, kDim}, 61),     test::random_leaf({kHalf}, 62),
          test::random_leaf({kExperts, kHalf}, 63), test::random_leaf({kExperts}, 64),
          test::random_leaf({kExperts, kDim}, 65),  test::random_leaf({kExperts}, 66)};
}

at::Tensor plain_expert(const Bottleneck& expert, const at::Tensor& row) {
  return expert.down_weight_DM.mv((expert.up_weight_MD.mv(row) + expert.up_bias_M).relu()) + expert.down_bias_D;
}

class HeadOnRanks : public OnRanks {
 protected:
  HeadOnRanks() {
    for (std::int64_t e = first_expert(); e < first_expert() + local_experts(); ++e)
      local_.push_back(random_bottleneck(e));
    for (std::int64_t b = 0; b < 5 + world_rank(); ++b) index_.push_back(3 * b + 100 * world_rank());
    pooled_BD_ = test::random_leaf({static_cast<std::int64_t>(index_.size()), kDim},
                                   80 + static_cast<std::uint64_t>(world_rank()));
  }
  [[nodiscard]] at::Tensor forward(HeadInference inference, const HeadPass& pass, Plans& plans) const {
    return EmbeddingHead(gate_, local_, Dispatcher(group(), kExperts), inference)
        .forward(pooled_BD_, {{}, {}, index_}, pass, plans);
  }
  [[nodiscard]] at::Tensor logits(std::int64_t b, const HeadPass& pass) const {
    const at::Tensor& row = pooled_BD_[b];
    const at::Tensor hidden = (gate_.hidden_weight_MD.mv(row) + gate_.hidden_bias_M).relu();
    const at::Tensor plain = gate_.output_weight_EM.mv(hidden) + gate_.output_bias_E;
    if (!pass.training) return plain;
    const at::Tensor deviation = (gate_.noise_weight_ED.mv(row) + gate_.noise_bias_E).exp().log1p();
    const kernels::TokenPlaces place{{index_[static_cast<std::size_t>(b)]}, {0}, {}};
    return plain + normal_noise(place, kExperts, pass.key, at::kDouble)[0] * deviation;
  }
  // normalize(sum of the chosen) + e, for given experts and weights.
  [[nodiscard]] at::Tensor plain(std::int64_t b, const std::vector<std::pair<std::int64_t, at::Tensor>>& chosen) const {
    at::Tensor sum = at::zeros({kDim}, at::kDouble);
    for (const auto& [expert, weight] : chosen)
      sum = sum + weight * plain_expert(random_bottleneck(expert), pooled_BD_[b]);
    return sum / sum.norm() + pooled_BD_[b];
  }

  const HeadGate gate_ = random_gate();
  std::vector<Bottleneck> local_;
  std::vector<std::int64_t> index_;
  at::Tensor pooled_BD_;
  const at::Tensor one_ = at::ones({}, at::kDouble);
};

INSTANTIATE_TEST_SUITE_P(Axes, HeadOnRanks,
                         testing::Combine(testing::Values(Scenario{"head", [](int) { return RankRouting{}; }}),
                                          testing::ValuesIn(axes())),
                         OnRanksName());

// Sums of at most some 20 terms of order one, and a division by a norm of order 0.3.

TEST_P(HeadOnRanks, takes_the_best_of_noisy_scores_in_training_and_of_plain_ones_otherwise) {
  for (const bool training : {true, false}) {
    const HeadPass pass{training, {5}};
    Plans plans;

    const at::Tensor out_BD = forward(HeadInference::top1, pass, plans);

    for (std::int64_t b = 0; b < out_BD.size(0); ++b)
      EXPECT_LT(test::distance(out_BD[b], plain(b, {{logits(b, pass).argmax().item<std::int64_t>(), one_}})), 1e-13);
  }
}

TEST_P(HeadOnRanks, mixes_all_experts_by_their_scores_where_asked) {
  Plans plans;

  const at::Tensor out_BD = forward(HeadInference::all, {}, plans);

  for (std::int64_t b = 0; b < out_BD.size(0); ++b) {
    const at::Tensor weight = logits(b, {}).softmax(-1);
    std::vector<std::pair<std::int64_t, at::Tensor>> chosen;
    for (std::int64_t e = 0; e < kExperts; ++e) chosen.emplace_back(e, weight[e]);
    EXPECT_LT(test::distance(out_BD[b], plain(b, chosen)), 1e-13);
  }
}

TEST_P(HeadOnRanks, draws_one_expert_where_asked) {
  const HeadPass pass{false, {9}};
  Plans plans;

  const at::Tensor out_BD = forward(HeadInference::random, pass, plans);

  for (std::int64_t b = 0; b < out_BD.size(0); ++b)
    EXPECT_LT(test::distance(out_BD[b],
                             plain(b, {{random_expert(index_[static_cast<std::size_t>(b)], kExperts, {9}), one_}})),
              1e-13);
}

TEST_P(HeadOnRanks, runs_only_the_chosen_experts) {
  const auto rows_of = [&](HeadInference inference, bool training) {
    Plans plans;
    static_cast<void>(forward(inference, {training, {5}}, plans));
    std::int64_t rows = 0;
    for (const std::int64_t of_expert : plans.of_head()->rows_per_expert) rows += of_expert;
    return group().all_reduce(rows);
  };
  const std::int64_t sequences = group().all_reduce(pooled_BD_.size(0));

  EXPECT_EQ(rows_of(HeadInference::top1, true), sequences);
  EXPECT_EQ(rows_of(HeadInference::all, true), sequences);
  EXPECT_EQ(rows_of(HeadInference::top1, false), sequences);
  EXPECT_EQ(rows_of(HeadInference::random, false), sequences);
  EXPECT_EQ(rows_of(HeadInference::all, false), kExperts * sequences);
}

TEST_P(HeadOnRanks, gate_and_noise_learn_from_the_task_with_the_chosen_probability_held_in_the_denominator) {
  const HeadPass pass{true, {5}};
  const at::Tensor loss_BD = test::random_tensor({pooled_BD_.size(0), kDim}, 90);
  Plans plans;

  torch::autograd::backward({(forward(HeadInference::top1, pass, plans) * loss_BD).sum()});

  for (const at::Tensor& leaf : {gate_.hidden_weight_MD, gate_.output_weight_EM, gate_.noise_weight_ED})
    EXPECT_GT(leaf.grad().abs().max().item<double>(), 1e-5);
  // d/dw of (w / w0) n is n / w0: the gradient of log w times <n, loss>, taken by central differences of log w.
  const at::NoGradGuard no_gradient;
  const auto log_weights = [&] {
    double sum = 0.0;
    for (std::int64_t b = 0; b < pooled_BD_.size(0); ++b) {
      const std::int64_t expert = plans.of_head()->choice.expert_S[b].item<std::int64_t>();
      const at::Tensor mixed = plain(b, {{expert, one_}}) - pooled_BD_[b];
      sum += (logits(b, pass).log_softmax(-1)[expert] * (mixed * loss_BD[b]).sum()).item<double>();
    }
    return sum;
  };
  for (const at::Tensor& leaf : {gate_.output_weight_EM, gate_.noise_bias_E}) {
    for (std::int64_t i = 0; i < leaf.numel(); ++i) {
      double* const element = leaf.data_ptr<double>() + i;
      const double before = *element;
      *element = before + 1e-5;
      const double above = log_weights();
      *element = before - 1e-5;
      const double below = log_weights();
      *element = before;
      EXPECT_NEAR(leaf.grad().flatten()[i].item<double>(), (above - below) / 2e-5, 3e-9) << i;
    }
  }
}

TEST_P(HeadOnRanks, records_which_sequence_chose_which_expert_and_how_surely) {
  for (const bool training : {true, false}) {
    const HeadPass pass{training, {5}};
    Plans plans;

    static_cast<void>(forward(HeadInference::top1, pass, plans));

    ASSERT_EQ(plans.records().size(), 1U);
    const RouterRecord& record = plans.records()[0];
    EXPECT_EQ(record.layer, kHeadLayer);
    EXPECT_TRUE(at::equal(record.choice.token_S, at::arange(pooled_BD_.size(0), at::kLong)));
    EXPECT_FALSE(record.scores.probability_UE.requires_grad());
    for (std::int64_t b = 0; b < pooled_BD_.size(0); ++b) {
      EXPECT_EQ(record.choice.expert_S[b].item<std::int64_t>(), logits(b, pass).argmax().item<std::int64_t>());
      EXPECT_EQ(record.scores.expert_UK[b][0].item<std::int64_t>(), record.choice.expert_S[b].item<std::int64_t>());
      EXPECT_EQ(record.scores.sequence_U[b].item<std::int64_t>(), b);
      // Sums of at most some 20 terms of order one.
      EXPECT_LT(test::distance(record.scores.probability_UE[b], logits(b, pass).softmax(-1)), 1e-13);
    }
  }
}

TEST_P(HeadOnRanks, a_second_pass_keeps_the_choice_of_the_first) {
  Plans plans;
  const at::Tensor once_BD = forward(HeadInference::top1, {true, {5}}, plans);

  const at::Tensor chosen_B = plans.of_head()->choice.expert_S.clone();

  plans.begin_pass();
  const at::Tensor again_BD = forward(HeadInference::top1, {true, {5}}, plans);
  static_cast<void>(forward(HeadInference::top1, {true, {6}}, plans));

  EXPECT_TRUE(at::equal(once_BD, again_BD));
  EXPECT_TRUE(at::equal(plans.of_head()->choice.expert_S, chosen_B));
  Plans others;
  static_cast<void>(forward(HeadInference::top1, {true, {6}}, others));
  EXPECT_FALSE(at::equal(others.of_head()->choice.expert_S, chosen_B)) << "another key must choose otherwise";
}

}  // namespace
}  // namespace coterie::experts
