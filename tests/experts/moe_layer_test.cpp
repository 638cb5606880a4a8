// The layer of experts on ranks against a loop over tokens on one.
#include "experts/moe_layer.h"

#include "experts/enforced_router.h"
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

/// The shared expert, token by token.
at::Tensor plain_shared(const Mlp& shared, const at::Tensor& tokens_TD) {
  std::vector<at::Tensor> rows;
  for (std::int64_t t = 0; t < tokens_TD.size(0); ++t) rows.push_back(plain_mlp(shared, tokens_TD[t]));
  return rows.empty() ? tokens_TD : at::stack(rows);
}

std::vector<Mlp> all_experts() {
  std::vector<Mlp> experts;
  for (std::int64_t e = 0; e < kExperts; ++e) experts.push_back(random_mlp(e));
  return experts;
}

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
  [[nodiscard]] at::Tensor forward_beside(const Mlp& shared) const {
    MoeParts parts{std::make_shared<GivenRouter>(to_choice(mine()), input_.weight_S, Fixed::no),
                   Dispatcher(group(), kExperts), ExpertFfn(local_, kernels::Activation::gelu)};
    parts.shared = ExpertFfn({shared}, kernels::Activation::gelu);
    Plans plans;
    return MoeLayer(std::move(parts)).forward(input_.tokens_TD, {}, {}, plans);
  }
  [[nodiscard]] MoeLayer layer(std::shared_ptr<const Router> router, std::int64_t number = 0) const {
    return MoeLayer(
        {std::move(router), Dispatcher(group(), kExperts), ExpertFfn(local_, kernels::Activation::gelu), number});
  }

  /// Runs the loop over the tokens of all ranks, forward and backward.
  /// @param shared  null: there is none
  /// @return        this rank's leaves
  [[nodiscard]] RankInput run_loop(const std::vector<Mlp>& experts, const Mlp* shared) const {
    at::Tensor loss = at::zeros({}, at::kDouble);
    std::vector<RankInput> inputs;
    for (int r = 0; r < world_size(); ++r) {
      const RankInput& input = inputs.emplace_back(r, routing_in_world(r));
      at::Tensor out_TD = plain_layer(experts, input, routing_in_world(r));
      if (shared != nullptr) out_TD = out_TD + plain_shared(*shared, input.tokens_TD);
      loss = loss + (out_TD * input.loss_TD).sum();
    }
    if (loss.requires_grad()) torch::autograd::backward({loss});
    return inputs[static_cast<std::size_t>(world_rank())];
  }
  /// Holds this rank's gradients against those of the loop.
  void expect_gradients_of_loop(const RankInput& reference, const std::vector<Mlp>& experts) const {
    EXPECT_LT(test::relative_distance(input_.tokens_TD.grad(), gradient_of(reference.tokens_TD)), 1e-10);
    EXPECT_LT(test::relative_distance(input_.weight_S.grad(), gradient_of(reference.weight_S)), 1e-10);
    for (std::size_t l = 0; l < local_.size(); ++l) {
      const std::size_t expert = static_cast<std::size_t>(first_expert()) + l;
      SCOPED_TRACE("expert " + std::to_string(expert));
      expect_gradients(tensors_of(local_[l]), mesh_.data_group(), tensors_of(experts[expert]));
    }
  }

  std::vector<Mlp> local_;
  const RankInput input_{world_rank(), mine()};
};

INSTANTIATE_TEST_SUITE_P(Routings, LayerOnRanks, every_scenario_and_axis(), OnRanksName());

// Sums of at most some 40 terms of order one: a few hundred times 2^-53, far below the 1e-10 of the design.

TEST_P(LayerOnRanks, forward_equals_the_loop_over_tokens) {
  const std::vector<Mlp> experts = all_experts();

  const at::Tensor out_TD = forward(input_.tokens_TD, input_.weight_S);

  EXPECT_LT(test::relative_distance(out_TD, plain_layer(experts, input_, mine())), 1e-10);
}

TEST_P(LayerOnRanks, gradients_equal_those_of_the_loop_over_the_tokens_of_all_ranks) {
  const std::vector<Mlp> experts = all_experts();
  const RankInput reference = run_loop(experts, nullptr);

  torch::autograd::backward({(forward(input_.tokens_TD, input_.weight_S) * input_.loss_TD).sum()});

  expect_gradients_of_loop(reference, experts);
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
  const std::vector<Mlp> experts = all_experts();
  const Mlp shared = random_glu(77);

  const at::Tensor out_TD = forward_beside(shared);

  const at::Tensor expected_TD = plain_layer(experts, input_, mine()) + plain_shared(shared, input_.tokens_TD);
  EXPECT_LT(test::relative_distance(out_TD, expected_TD), 1e-10);
}

TEST_P(LayerOnRanks, gradients_beside_a_shared_expert_equal_those_of_the_loop_over_the_tokens_of_all_ranks) {
  const std::vector<Mlp> experts = all_experts();
  const Mlp expected = random_glu(77);
  const RankInput reference = run_loop(experts, &expected);
  const Mlp shared = random_glu(77);

  torch::autograd::backward({(forward_beside(shared) * input_.loss_TD).sum()});

  expect_gradients_of_loop(reference, experts);
  // A dense tensor: every rank has it whole, and its own tokens' part of the gradient.
  expect_gradients(tensors_of(shared), mesh_.world(), tensors_of(expected));
}

class DomainLayer : public LayerOnRanks {};

INSTANTIATE_TEST_SUITE_P(Axes, DomainLayer,
                         testing::Combine(testing::Values(Scenario{"by_domain", [](int) { return RankRouting{}; }}),
                                          testing::ValuesIn(axes())),
                         OnRanksName());

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
