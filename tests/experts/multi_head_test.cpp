// Heads of tokens, each routed by a gate on its own channels, against a loop over tokens and heads.
#include "experts/moe_layer.h"
#include "experts/top_k_router.h"
#include "tests/experts/mlps.h"
#include "tests/experts/on_ranks.h"

namespace coterie::experts {
namespace {

constexpr std::int64_t kHeads = 2;
constexpr std::int64_t kTwice = kHeads * kWidth;

/// Leaves of a layer of heads with the experts `first` to `first + count - 1`, equal wherever they are made.
struct Leaves {
  Leaves(std::int64_t first, std::int64_t count) {
    for (std::int64_t e = first; e < first + count; ++e) experts.push_back(random_mlp(e));
  }
  /// All but the experts': every rank has them whole.
  [[nodiscard]] std::vector<at::Tensor> dense() const { return {split, split_bias, merge, merge_bias, gate}; }

  at::Tensor split = test::random_leaf({kTwice, kTwice}, 21);
  at::Tensor split_bias = test::random_leaf({kTwice}, 22);
  at::Tensor merge = test::random_leaf({kTwice, kTwice}, 23);
  at::Tensor merge_bias = test::random_leaf({kTwice}, 24);
  at::Tensor gate = test::random_leaf({kExperts, kWidth}, 25);
  std::vector<Mlp> experts;
};

/// What a rank of the world has, and the weights of its loss.
at::Tensor tokens_of(int rank) {
  return test::random_leaf({6 + rank, kTwice}, 400 + 2 * static_cast<std::uint64_t>(rank));
}
at::Tensor loss_of(int rank) {
  return test::random_tensor({6 + rank, kTwice}, 401 + 2 * static_cast<std::uint64_t>(rank));
}

/// The layer on one token, with all experts at hand. The denominator of a single score is held constant.
at::Tensor plain_token(const Leaves& leaves, std::int64_t top_k, const at::Tensor& token_D) {
  const at::Tensor whole = leaves.split.mv(token_D) + leaves.split_bias;
  std::vector<at::Tensor> outputs;
  for (std::int64_t h = 0; h < kHeads; ++h) {
    const at::Tensor head = whole.narrow(0, h * kWidth, kWidth);
    const auto [score, expert] = leaves.gate.mv(head).softmax(-1).topk(top_k);
    const at::Tensor weight = score / (top_k == 1 ? score.detach() : score.sum());
    at::Tensor sum = at::zeros({kWidth}, at::kDouble);
    for (std::int64_t n = 0; n < top_k; ++n)
      sum = sum + weight[n] * plain_mlp(leaves.experts[static_cast<std::size_t>(expert[n].item<std::int64_t>())], head);
    outputs.push_back(sum);
  }
  return leaves.merge.mv(at::cat(outputs)) + leaves.merge_bias;
}

at::Tensor plain_tokens(const Leaves& leaves, std::int64_t top_k, const at::Tensor& tokens_TD) {
  std::vector<at::Tensor> rows;
  for (std::int64_t t = 0; t < tokens_TD.size(0); ++t) rows.push_back(plain_token(leaves, top_k, tokens_TD[t]));
  return at::stack(rows);
}

class HeadsOfTokens : public OnRanks {
 protected:
  /// Of two sequences, the first of 4 tokens.
  [[nodiscard]] at::Tensor forward(const Leaves& leaves, std::int64_t top_k, const at::Tensor& tokens_TD,
                                   Plans& plans) const {
    const std::vector<std::int64_t> offsets = {0, 4, tokens_TD.size(0)};
    MoeParts parts{std::make_shared<TopKRouter>(Gate({leaves.gate, {}}, top_k)), Dispatcher(group(), kExperts),
                   ExpertFfn(leaves.experts, kernels::Activation::gelu)};
    parts.heads = Heads{kHeads, leaves.split, leaves.split_bias, leaves.merge, leaves.merge_bias};
    return MoeLayer(std::move(parts)).forward(tokens_TD, {offsets, {}, {}}, {}, plans);
  }

  /// Holds every gradient of the layer against those of the loop over the tokens of all ranks.
  void expect_gradients_of_loop(std::int64_t top_k) {
    const Leaves reference(0, kExperts);
    at::Tensor loss = at::zeros({}, at::kDouble);
    std::vector<at::Tensor> tokens;
    for (int r = 0; r < world_size(); ++r) {
      tokens.push_back(tokens_of(r));
      loss = loss + (plain_tokens(reference, top_k, tokens.back()) * loss_of(r)).sum();
    }
    torch::autograd::backward({loss});

    torch::autograd::backward({(forward(local_, top_k, tokens_TD_, plans_) * loss_of(world_rank())).sum()});

    const at::Tensor& expected_TD = tokens[static_cast<std::size_t>(world_rank())].grad();
    EXPECT_LT(test::relative_distance(tokens_TD_.grad(), expected_TD), 1e-10);
    expect_gradients(local_.dense(), mesh_.world(), reference.dense());
    for (std::size_t l = 0; l < local_.experts.size(); ++l) {
      const std::size_t expert = static_cast<std::size_t>(first_expert()) + l;
      SCOPED_TRACE("expert " + std::to_string(expert));
      expect_gradients(tensors_of(local_.experts[l]), mesh_.data_group(), tensors_of(reference.experts[expert]));
    }
  }

  const Leaves local_{first_expert(), local_experts()};
  const at::Tensor tokens_TD_ = tokens_of(world_rank());
  Plans plans_;
};

INSTANTIATE_TEST_SUITE_P(Axes, HeadsOfTokens,
                         testing::Combine(testing::Values(Scenario{"heads", [](int) { return RankRouting{}; }}),
                                          testing::ValuesIn(axes())),
                         OnRanksName());

TEST_P(HeadsOfTokens, are_routed_each_apart) {
  const at::Tensor out_TD = forward(local_, 2, tokens_TD_, plans_);

  // Sums of at most some 20 terms of order one.
  EXPECT_LT(test::distance(out_TD, plain_tokens(Leaves(0, kExperts), 2, tokens_TD_)), 1e-13);
}

TEST_P(HeadsOfTokens, have_scores_with_the_sequence_of_their_token) {
  static_cast<void>(forward(local_, 2, tokens_TD_, plans_));

  const RouterRecord& record = plans_.records().front();
  EXPECT_EQ(record.scores.logits_UE.size(0), kHeads * tokens_TD_.size(0));
  EXPECT_EQ(record.scores.sequence_U[kHeads * 4].item<std::int64_t>(), 1);
}

TEST_P(HeadsOfTokens, with_one_expert_each_have_the_gradients_of_the_loop_over_the_tokens_of_all_ranks) {
  expect_gradients_of_loop(1);
}

TEST_P(HeadsOfTokens, with_two_experts_each_have_the_gradients_of_the_loop_over_the_tokens_of_all_ranks) {
  expect_gradients_of_loop(2);
}

}  // namespace
}  // namespace coterie::experts
