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

std::vector<Bottleneck> all_bottlenecks() {
  std::vector<Bottleneck> experts;
  for (std::int64_t e = 0; e < kExperts; ++e) experts.push_back(random_bottleneck(e));
  return experts;
}

HeadGate random_gate() {
  return {test::random_leaf({kHalf, kDim}, 61),     test::random_leaf({kHalf}, 62),
          test::random_leaf({kExperts, kHalf}, 63), test::random_leaf({kExperts}, 64),
          test::random_leaf({kExperts, kDim}, 65),  test::random_leaf({kExperts}, 66)};
}

std::vector<at::Tensor> tensors_of(const Bottleneck& expert) {
  return {expert.up_weight_MD, expert.up_bias_M, expert.down_weight_DM, expert.down_bias_D};
}

std::vector<at::Tensor> tensors_of(const HeadGate& gate) {
  return {gate.hidden_weight_MD, gate.hidden_bias_M,   gate.output_weight_EM,
          gate.output_bias_E,    gate.noise_weight_ED, gate.noise_bias_E};
}

/// What a rank of the world has: the places of its sequences in the global batch, their embeddings, weights of a loss.
std::vector<std::int64_t> index_of(int rank) {
  std::vector<std::int64_t> index;
  for (std::int64_t b = 0; b < 5 + rank; ++b) index.push_back(3 * b + 100 * rank);
  return index;
}
at::Tensor pooled_of(int rank) { return test::random_leaf({5 + rank, kDim}, 80 + static_cast<std::uint64_t>(rank)); }
at::Tensor loss_of(int rank) { return test::random_tensor({5 + rank, kDim}, 90 + static_cast<std::uint64_t>(rank)); }

at::Tensor plain_expert(const Bottleneck& expert, const at::Tensor& row) {
  return expert.down_weight_DM.mv((expert.up_weight_MD.mv(row) + expert.up_bias_M).relu()) + expert.down_bias_D;
}

/// Experts with the weights of their outputs.
using Chosen = std::vector<std::pair<std::int64_t, at::Tensor>>;

/// normalize(sum of the chosen) of a sequence.
at::Tensor plain_mixture(const std::vector<Bottleneck>& experts, const at::Tensor& row, const Chosen& chosen) {
  at::Tensor sum = at::zeros({kDim}, at::kDouble);
  for (const auto& [expert, weight] : chosen)
    sum = sum + weight * plain_expert(experts[static_cast<std::size_t>(expert)], row);
  return sum / sum.norm();
}

/// What the gate scores for the sequence at a place of the global batch.
at::Tensor plain_logits(const HeadGate& gate, const at::Tensor& row, std::int64_t index, const HeadPass& pass) {
  const at::Tensor hidden = (gate.hidden_weight_MD.mv(row) + gate.hidden_bias_M).relu();
  const at::Tensor plain = gate.output_weight_EM.mv(hidden) + gate.output_bias_E;
  if (!pass.training) return plain;
  const at::Tensor deviation = (gate.noise_weight_ED.mv(row) + gate.noise_bias_E).exp().log1p();
  const kernels::TokenPlaces place{{index}, {0}, {}};
  return plain + normal_noise(place, kExperts, pass.key, at::kDouble)[0] * deviation;
}

/// The leaves of the head with all its experts, equal wherever they are made.
struct WholeHead {
  HeadGate gate = random_gate();
  std::vector<Bottleneck> experts = all_bottlenecks();
};

/// The head on one sequence.
at::Tensor plain_head(const WholeHead& head, const at::Tensor& row, std::int64_t index, HeadInference inference,
                      const HeadPass& pass) {
  const at::Tensor one = at::ones({}, at::kDouble);
  if (!pass.training && inference == HeadInference::random)
    return plain_mixture(head.experts, row, {{random_expert(index, kExperts, pass.key), one}}) + row;
  const at::Tensor probability = plain_logits(head.gate, row, index, pass).softmax(-1);
  if (!pass.training && inference == HeadInference::all) {
    Chosen chosen;
    for (std::int64_t e = 0; e < kExperts; ++e) chosen.emplace_back(e, probability[e]);
    return plain_mixture(head.experts, row, chosen) + row;
  }
  // The weight of one expert is held constant in the denominator.
  const std::int64_t best = probability.argmax().item<std::int64_t>();
  return probability[best] / probability[best].detach() * plain_mixture(head.experts, row, {{best, one}}) + row;
}

class HeadOnRanks : public OnRanks {
 protected:
  HeadOnRanks() {
    for (std::int64_t e = first_expert(); e < first_expert() + local_experts(); ++e)
      local_.push_back(random_bottleneck(e));
  }
  [[nodiscard]] at::Tensor forward(HeadInference inference, const HeadPass& pass, Plans& plans) const {
    return EmbeddingHead(gate_, local_, Dispatcher(group(), kExperts), inference)
        .forward(pooled_BD_, {{}, {}, index_}, pass, plans);
  }
  [[nodiscard]] at::Tensor logits(std::int64_t b, const HeadPass& pass) const {
    return plain_logits(gate_, pooled_BD_[b], index_[static_cast<std::size_t>(b)], pass);
  }
  // normalize(sum of the chosen) + e, for given experts and weights.
  [[nodiscard]] at::Tensor plain(std::int64_t b, const Chosen& chosen) const {
    return plain_mixture(experts_, pooled_BD_[b], chosen) + pooled_BD_[b];
  }
  /// Holds every gradient of a pass against those of the loop over the sequences of all ranks.
  void expect_gradients_of_loop(HeadInference inference, const HeadPass& pass) const {
    const WholeHead reference{};
    at::Tensor loss = at::zeros({}, at::kDouble);
    std::vector<at::Tensor> pooled;
    for (int r = 0; r < world_size(); ++r) {
      pooled.push_back(pooled_of(r));
      const std::vector<std::int64_t> index = index_of(r);
      const at::Tensor loss_BD = loss_of(r);
      for (std::int64_t b = 0; b < loss_BD.size(0); ++b) {
        const std::int64_t place = index[static_cast<std::size_t>(b)];
        loss = loss + (plain_head(reference, pooled.back()[b], place, inference, pass) * loss_BD[b]).sum();
      }
    }
    torch::autograd::backward({loss});
    Plans plans;

    torch::autograd::backward({(forward(inference, pass, plans) * loss_of(world_rank())).sum()});

    const at::Tensor& expected_BD = pooled[static_cast<std::size_t>(world_rank())].grad();
    EXPECT_LT(test::relative_distance(pooled_BD_.grad(), expected_BD), 1e-10);
    for (std::size_t l = 0; l < local_.size(); ++l) {
      const std::size_t expert = static_cast<std::size_t>(first_expert()) + l;
      SCOPED_TRACE("expert " + std::to_string(expert));
      expect_gradients(tensors_of(local_[l]), mesh_.data_group(), tensors_of(reference.experts[expert]));
    }
    const std::vector<at::Tensor> gate = tensors_of(gate_);
    const std::vector<at::Tensor> expected = tensors_of(reference.gate);
    for (std::size_t n = 0; n < gate.size(); ++n) {
      SCOPED_TRACE("of the gate, " + std::to_string(n));
      // Outside training there is no noise, and an expert drawn at random has no score.
      if (expected[n].grad().defined()) {
        expect_gradients({gate[n]}, mesh_.world(), {expected[n]});
      } else {
        EXPECT_FALSE(gate[n].grad().defined());
      }
    }
  }

  const HeadGate gate_ = random_gate();
  const std::vector<Bottleneck> experts_ = all_bottlenecks();
  std::vector<Bottleneck> local_;
  const std::vector<std::int64_t> index_ = index_of(world_rank());
  const at::Tensor pooled_BD_ = pooled_of(world_rank());
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
    Chosen chosen;
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

TEST_P(HeadOnRanks, has_the_gradients_of_the_loop_over_the_sequences_of_all_ranks_in_training) {
  expect_gradients_of_loop(HeadInference::top1, {true, {5}});
}

TEST_P(HeadOnRanks, has_the_gradients_of_the_loop_over_the_sequences_of_all_ranks_where_the_best_expert_is_taken) {
  expect_gradients_of_loop(HeadInference::top1, {});
}

TEST_P(HeadOnRanks, has_the_gradients_of_the_loop_over_the_sequences_of_all_ranks_where_all_experts_are_mixed) {
  expect_gradients_of_loop(HeadInference::all, {});
}

TEST_P(HeadOnRanks, has_the_gradients_of_the_loop_over_the_sequences_of_all_ranks_where_an_expert_is_drawn) {
  expect_gradients_of_loop(HeadInference::random, {false, {9}});
}

TEST_P(HeadOnRanks, gate_and_noise_learn_from_the_task_with_the_chosen_probability_held_in_the_denominator) {
  const HeadPass pass{true, {5}};
  const at::Tensor loss_BD = loss_of(world_rank());
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
  for (const at::Tensor& leaf : tensors_of(gate_)) {
    for (std::int64_t i = 0; i < leaf.numel(); ++i) {
      double* const element = leaf.data_ptr<double>() + i;
      const double before = *element;
      *element = before + 1e-5;
      const double above = log_weights();
      *element = before - 1e-5;
      const double below = log_weights();
      *element = before;
      EXPECT_NEAR(leaf.grad().flatten()[i].item<double>(), (above - below) / 2e-5, 3e-9)
          << leaf.sizes() << ", element " << i;
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
