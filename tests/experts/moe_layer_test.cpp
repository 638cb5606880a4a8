// The layer of experts on ranks against a loop over tokens on one.
#include "experts/moe_layer.h"

#include "experts/enforced_router.h"
#include "experts/top_k_router.h"
#include "tests/experts/mlps.h"
#include "tests/experts/on_ranks.h"

namespace coterie::experts {
namespace {

/// Whether the route is said to follow from the layout.
enum class Fixed : std::uint8_t { yes, no };

/// Decides what it was told, and counts how often it was asked.
class GivenRouter final : public Router {
 public:
  GivenRouter(Choice choice, at::Tensor weight_S, Fixed fixed)
      : choice_(std::move(choice)), weight_S_(std::move(weight_S)), fixed_(fixed) {}
  [[nodiscard]] Routing route(const at::Tensor&, const BatchLayout&, const RouterNoise&,
                              const Choice* replay) const override {
    if (replay == nullptr) ++asked_;
    return {replay == nullptr ? choice_ : *replay, weight_S_, {}};
  }
  [[nodiscard]] bool fixed_by_layout() const noexcept override { return fixed_ == Fixed::yes; }
  [[nodiscard]] int asked() const noexcept { return asked_; }

 private:
  Choice choice_;
  at::Tensor weight_S_;
  Fixed fixed_;
  mutable int asked_ = 0;
};

/// Input, weights of the assignments and weights of the loss of one rank of the world, equal wherever they are made.
struct RankInput {
  RankInput(int world_rank, const RankRouting& routing)
      : tokens_TD(test::random_leaf({routing.tokens, kWidth}, stream(world_rank))),
        weight_S(test::random_leaf({static_cast<std::int64_t>(routing.assignments.size())}, stream(world_rank) + 1)),
        loss_TD(test::random_tensor({routing.tokens, kWidth}, stream(world_rank) + 2)) {}
  static std::uint64_t stream(int world_rank) { return 300 + 3 * static_cast<std::uint64_t>(world_rank); }

  at::Tensor tokens_TD;
  at::Tensor weight_S;
  at::Tensor loss_TD;
};

class LayerOnRanks : public OnRanks {
 protected:
  LayerOnRanks() {
    for (std::int64_t e = first_expert(); e < first_expert() + local_experts(); ++e) local_.push_back(random_mlp(e));
  }
  [[nodiscard]] static RankRouting routing_in_world(int rank) { return std::get<Scenario>(GetParam()).on_rank(rank); }

  [[nodiscard]] at::Tensor forward(const at::Tensor& tokens_TD, const at::Tensor& weight_S) const {
    Plans plans;
    return layer(std::make_shared<GivenRouter>(to_choice(mine()), weight_S, Fixed::no))
        .forward(tokens_TD, {}, {}, plans);
  }
  [[nodiscard]] MoeLayer layer(std::shared_ptr<const Router> router, std::int64_t number = 0) const {
    return MoeLayer(
        {std::move(router), Dispatcher(group(), kExperts), ExpertFfn(local_, kernels::Activation::gelu), number});
  }

  std::vector<Mlp> local_;
  const RankInput input_{world_rank(), mine()};
};

INSTANTIATE_TEST_SUITE_P(Routings, LayerOnRanks, every_scenario_and_axis(), OnRanksName());

/// The layer written as a loop over one rank's assignments, with all experts at hand.
at::Tensor plain_layer(const std::vector<Mlp>& experts, const RankInput& input, const RankRouting& routing) {
  std::vector<at::Tensor> rows(static_cast<std::size_t>(routing.tokens), at::zeros({kWidth}, at::kDouble));
  for (std::size_t s = 0; s < routing.assignments.size(); ++s) {
    const auto [token, expert] = routing.assignments[s];
    at::Tensor& row = rows[static_cast<std::size_t>(token)];
    row = row + input.weight_S[static_cast<std::int64_t>(s)] *
                    plain_mlp(experts[static_cast<std::size_t>(expert)], input.tokens_TD[token]);
  }
  return rows.empty() ? input.tokens_TD : at::stack(rows);
}

// Sums of at most some 40 terms of order one: a few hundred times 2^-53, far below the 1e-10 of the design.

TEST_P(LayerOnRanks, forward_equals_the_loop_over_tokens) {
  std::vector<Mlp> experts;
  for (std::int64_t e = 0; e < kExperts; ++e) experts.push_back(random_mlp(e));

  const at::Tensor out_TD = forward(input_.tokens_TD, input_.weight_S);

  EXPECT_LT(test::relative_distance(out_TD, plain_layer(experts, input_, mine())), 1e-10);
}

TEST_P(LayerOnRanks, gradients_equal_those_of_the_loop_over_the_tokens_of_all_ranks) {
  std::vector<Mlp> experts;
  for (std::int64_t e = 0; e < kExperts; ++e) experts.push_back(random_mlp(e));
  at::Tensor loss = at::zeros({}, at::kDouble);
  std::vector<RankInput> inputs;
  for (int r = 0; r < world_size(); ++r) {
    inputs.emplace_back(r, routing_in_world(r));
    loss = loss + (plain_layer(experts, inputs.back(), routing_in_world(r)) * inputs.back().loss_TD).sum();
  }
  if (loss.requires_grad()) torch::autograd::backward({loss});
  const auto expected = [](const at::Tensor& leaf) {
    return leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf);
  };

  torch::autograd::backward({(forward(input_.tokens_TD, input_.weight_S) * input_.loss_TD).sum()});

  const RankInput& reference = inputs[static_cast<std::size_t>(world_rank())];
  EXPECT_LT(test::relative_distance(input_.tokens_TD.grad(), expected(reference.tokens_TD)), 1e-10);
  EXPECT_LT(test::relative_distance(input_.weight_S.grad(), expected(reference.weight_S)), 1e-10);
  std::vector<at::Tensor> parts;
  for (const Mlp& mlp : local_)
    for (const at::Tensor& tensor : tensors_of(mlp)) parts.push_back(tensor.grad().flatten());
  at::Tensor sums = at::cat(parts);
  mesh_.data_group().all_reduce(sums);
  std::int64_t place = 0;
  for (std::int64_t e = first_expert(); e < first_expert() + local_experts(); ++e) {
    for (const at::Tensor& tensor : tensors_of(experts[static_cast<std::size_t>(e)])) {
      const at::Tensor sum = sums.narrow(0, place, tensor.numel()).view(tensor.sizes());
      EXPECT_LT(test::relative_distance(sum, expected(tensor)), 1e-10) << "expert " << e << ", " << tensor.sizes();
      place += tensor.numel();
    }
  }
}

/// Central differences are taken on small routings: every element costs two forward passes of all ranks.
class SmallLayer : public LayerOnRanks {};

RankRouting none_or_two_experts_each(int rank) {
  return draw_routing(rank, 2 - rank % 2, [](std::int64_t token) { return 2 * token; });
}

RankRouting one_expert_each(int rank) {
  return draw_routing(rank, 1 + rank % 2, [](std::int64_t) { return 1; });
}

INSTANTIATE_TEST_SUITE_P(Routings, SmallLayer,
                         testing::Combine(testing::Values(Scenario{"none_or_two_experts_each",
                                                                   none_or_two_experts_each},
                                                          Scenario{"one_expert_each", one_expert_each}),
                                          testing::ValuesIn(axes())),
                         OnRanksName());

TEST_P(SmallLayer, gradients_equal_central_differences_of_the_loss_of_all_ranks) {
  torch::autograd::backward({(forward(input_.tokens_TD, input_.weight_S) * input_.loss_TD).sum()});
  const std::vector<at::Tensor> leaves = {input_.tokens_TD, input_.weight_S, local_.back().down_bias_D.leaf};
  const at::NoGradGuard no_gradient;
  const auto loss = [&] {
    at::Tensor sum = (forward(input_.tokens_TD, input_.weight_S) * input_.loss_TD).sum().reshape({1});
    group().all_reduce(sum);
    return sum.item<double>();
  };

  // One rank after the other moves one element after the other, while all take part in the passes.
  for (int mover = 0; mover < group().size(); ++mover) {
    for (const at::Tensor& leaf : leaves) {
      const std::int64_t most = group().all_reduce(mover == group().rank() ? leaf.numel() : 0);
      for (std::int64_t i = 0; i < most; ++i) {
        double* const element = mover == group().rank() ? leaf.data_ptr<double>() + i : nullptr;
        const double before = element != nullptr ? *element : 0.0;
        const auto moved = [&](double step) {
          if (element != nullptr) *element = before + step;
          return loss();
        };
        const double difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        if (element == nullptr) continue;
        *element = before;
        // Truncation: step^2 / 6 |f'''| < 2e-9 for derivatives up to 100; rounding: 2^-53 * 10 / step < 2e-10.
        EXPECT_NEAR(leaf.grad().data_ptr<double>()[i], difference, 3e-9) << "rank " << mover << ", element " << i;
      }
    }
  }
}

TEST_P(LayerOnRanks, a_route_fixed_by_the_layout_is_planned_once_for_all_layers) {
  const auto router = std::make_shared<GivenRouter>(to_choice(mine()), at::Tensor(), Fixed::yes);
  const std::vector<MoeLayer> stack = {layer(router, 0), layer(router, 1)};

  Plans plans;
  const at::Tensor once_TD = stack[0].forward(input_.tokens_TD, {}, {}, plans);
  const at::Tensor twice_TD = stack[1].forward(input_.tokens_TD, {}, {}, plans);

  EXPECT_EQ(router->asked(), 1);
  EXPECT_TRUE(at::equal(once_TD, twice_TD));
}

TEST_P(LayerOnRanks, a_route_of_the_tokens_is_planned_by_each_layer_for_itself_and_once_for_all_passes) {
  const auto router = std::make_shared<GivenRouter>(to_choice(mine()), at::Tensor(), Fixed::no);
  const std::vector<MoeLayer> stack = {layer(router, 0), layer(router, 1)};

  Plans plans;
  for (int pass = 0; pass < 2; ++pass)
    for (const MoeLayer& each : stack) static_cast<void>(each.forward(input_.tokens_TD, {}, {}, plans));

  EXPECT_EQ(router->asked(), 2);
}

TEST_P(LayerOnRanks, the_records_are_those_of_the_latest_pass) {
  const auto router = std::make_shared<GivenRouter>(to_choice(mine()), at::Tensor(), Fixed::no);
  const std::vector<MoeLayer> stack = {layer(router, 0), layer(router, 1)};

  Plans plans;
  for (int pass = 0; pass < 2; ++pass) {
    plans.begin_pass();
    for (const MoeLayer& each : stack) static_cast<void>(each.forward(input_.tokens_TD, {}, {}, plans));
  }

  ASSERT_EQ(plans.records().size(), 2U);
  EXPECT_EQ(plans.records()[1].layer, 1);
  EXPECT_TRUE(at::equal(plans.records()[1].choice.expert_S, to_choice(mine()).expert_S));
}

TEST_P(LayerOnRanks, a_layer_that_runs_again_in_a_pass_replaces_its_record) {
  const auto router = std::make_shared<GivenRouter>(to_choice(mine()), at::Tensor(), Fixed::no);
  const std::vector<MoeLayer> stack = {layer(router, 0), layer(router, 1)};
  Plans plans;
  for (const MoeLayer& each : stack) static_cast<void>(each.forward(input_.tokens_TD, {}, {}, plans));

  static_cast<void>(stack[0].forward(input_.tokens_TD, {}, {}, plans));

  ASSERT_EQ(plans.records().size(), 2U);
  EXPECT_EQ(plans.record_of(0), &plans.records()[0]);
  EXPECT_EQ(plans.record_of(1), &plans.records()[1]);
  EXPECT_EQ(plans.record_of(2), nullptr);
}

TEST_P(LayerOnRanks, adds_the_shared_expert_of_every_token) {
  std::vector<Mlp> experts;
  for (std::int64_t e = 0; e < kExperts; ++e) experts.push_back(random_mlp(e));
  const Mlp shared = random_glu(77);
  MoeParts parts{std::make_shared<GivenRouter>(to_choice(mine()), input_.weight_S, Fixed::no),
                 Dispatcher(group(), kExperts), ExpertFfn(local_, kernels::Activation::gelu)};
  parts.shared = ExpertFfn({shared}, kernels::Activation::gelu);

  Plans plans;
  const at::Tensor out_TD = MoeLayer(std::move(parts)).forward(input_.tokens_TD, {}, {}, plans);

  at::Tensor expected_TD = plain_layer(experts, input_, mine()).clone();
  for (std::int64_t t = 0; t < expected_TD.size(0); ++t) expected_TD[t] += plain_mlp(shared, input_.tokens_TD[t]);
  EXPECT_LT(test::relative_distance(out_TD, expected_TD), 1e-10);
}

class DomainLayer : public LayerOnRanks {};

INSTANTIATE_TEST_SUITE_P(Axes, DomainLayer,
                         testing::Combine(testing::Values(Scenario{"by_domain", [](int) { return RankRouting{}; }}),
                                          testing::ValuesIn(axes())),
                         OnRanksName());

// Tokens of two heads, each routed by a gate on its own channels; a loop over tokens and heads says the same.
TEST_P(DomainLayer, of_heads_routes_each_part_of_a_token_apart) {
  constexpr std::int64_t kHeads = 2;
  constexpr std::int64_t kTwice = kHeads * kWidth;
  const at::Tensor split = test::random_leaf({kTwice, kTwice}, 21);
  const at::Tensor split_bias = test::random_leaf({kTwice}, 22);
  const at::Tensor merge = test::random_leaf({kTwice, kTwice}, 23);
  const at::Tensor merge_bias = test::random_leaf({kTwice}, 24);
  const at::Tensor gate = test::random_leaf({kExperts, kWidth}, 25);
  const std::vector<std::int64_t> offsets = {0, 4, 6 + world_rank()};
  const at::Tensor tokens_TD = test::random_leaf({offsets.back(), kTwice}, 26);
  MoeParts parts{std::make_shared<TopKRouter>(Gate({gate, {}}, 2)), Dispatcher(group(), kExperts),
                 ExpertFfn(local_, kernels::Activation::gelu)};
  parts.heads = Heads{kHeads, split, split_bias, merge, merge_bias};

  Plans plans;
  const at::Tensor out_TD = MoeLayer(std::move(parts)).forward(tokens_TD, {offsets, {}, {}}, {}, plans);

  for (std::int64_t t = 0; t < tokens_TD.size(0); ++t) {
    const at::Tensor whole = split.mv(tokens_TD[t]) + split_bias;
    std::vector<at::Tensor> outputs;
    for (std::int64_t h = 0; h < kHeads; ++h) {
      const at::Tensor head = whole.narrow(0, h * kWidth, kWidth);
      const auto [score, expert] = gate.mv(head).softmax(-1).topk(2);
      at::Tensor sum = at::zeros({kWidth}, at::kDouble);
      for (std::int64_t n = 0; n < 2; ++n)
        sum = sum + score[n] / score.sum() * plain_mlp(random_mlp(expert[n].item<std::int64_t>()), head);
      outputs.push_back(sum);
    }
    EXPECT_LT(test::distance(out_TD[t], merge.mv(at::cat(outputs)) + merge_bias), 1e-13) << t;
  }
  const RouterRecord& record = plans.records().front();
  EXPECT_EQ(record.scores.logits_UE.size(0), kHeads * tokens_TD.size(0));
  EXPECT_EQ(record.scores.sequence_U[kHeads * 4].item<std::int64_t>(), 1);
}

TEST_P(DomainLayer, of_identical_experts_equals_the_dense_mlp_on_every_rank) {
  const Mlp dense = random_mlp(0);
  const MoeLayer sparse(
      {std::make_shared<EnforcedRouter>(Enforced::domain, kExperts), Dispatcher(group(), kExperts),
       ExpertFfn(std::vector<Mlp>(static_cast<std::size_t>(local_experts()), dense), kernels::Activation::gelu)});
  const std::vector<std::int64_t> offsets = {0, 5, 6, 9 + world_rank()};
  const std::vector<std::int32_t> domain = {7, 2, static_cast<std::int32_t>(world_rank())};
  const at::Tensor tokens_TD = test::random_tensor({offsets.back(), kWidth}, 5);

  Plans plans;
  const at::Tensor sparse_TD = sparse.forward(tokens_TD, {offsets, domain, {}}, {}, plans);

  // Sums of 3 and 5 terms below 1 in another order: 10 * 2^-53.
  EXPECT_LT(test::distance(sparse_TD, dense.forward(tokens_TD, kernels::Activation::gelu)), 2e-15);
}

}  // namespace
}  // namespace coterie::experts
