// What layers of experts communicate, counted: a rank waits for others where a plan is made that ranks cannot know of
// each other, and nowhere else before rows arrive.
#include <torch/csrc/autograd/autograd.h>

#include <memory>

#include "experts/moe_layer.h"
#include "kernels/recompute.h"
#include "tests/experts/mlps.h"
#include "tests/experts/on_ranks.h"
#include "tests/harness/counting_group.h"

namespace coterie::experts {
namespace {

using dist::Collective;
using test::CountingGroup;
using test::Counts;

/// Sends each token to one expert, in turn.
class InTurn final : public Router {
 public:
  explicit InTurn(bool fixed) : fixed_(fixed) {}
  [[nodiscard]] Routing route(const at::Tensor& tokens_TD, const BatchLayout&, const RouterNoise&,
                              const Choice* replay) const override {
    if (replay != nullptr) return {*replay, {}, {}};
    const at::Tensor token_T = at::arange(tokens_TD.size(0), at::kLong);
    return {{token_T, token_T.remainder(kExperts)}, {}, {}};
  }
  [[nodiscard]] std::vector<std::int64_t> counts(const BatchLayout& layout, const RouterNoise&) const override {
    std::vector<std::int64_t> counts_E(kExperts, 0);
    for (std::int64_t t = 0; t < layout.offsets.back(); ++t) ++counts_E[static_cast<std::size_t>(t % kExperts)];
    return counts_E;
  }
  [[nodiscard]] bool fixed_by_layout() const noexcept override { return fixed_; }

 private:
  bool fixed_;
};

/// A stack of two layers on a group that counts.
class Collectives : public testing::TestWithParam<int> {
 protected:
  void stack(bool fixed) {
    std::vector<Mlp> local;
    for (std::int64_t e = 0; e < mesh_.shape().local_experts(kExperts); ++e)
      local.push_back(random_mlp(mesh_.shape().first_expert(kExperts) + e));
    for (int n = 0; n < 2; ++n)
      layers_.emplace_back(MoeParts{std::make_shared<InTurn>(fixed), Dispatcher(group_, kExperts),
                                    ExpertFfn(local, kernels::Activation::gelu), n});
  }
  [[nodiscard]] at::Tensor forward() {
    plans_.begin_pass();
    at::Tensor x_TD = tokens_TD_;
    for (const MoeLayer& layer : layers_) x_TD = layer.forward(x_TD, layout_, {}, plans_);
    return x_TD.sum();
  }
  /// Of one forward, one backward and another forward pass; a rank alone communicates nothing.
  void expect(const Counts& first, const Counts& backward, const Counts& again) {
    const auto here = [&](const Counts& counts) { return group_.size() > 1 ? counts : Counts(); };
    const at::Tensor loss = forward();
    EXPECT_EQ(group_.take(), here(first)) << "the first pass";
    torch::autograd::backward({loss});
    EXPECT_EQ(group_.take(), here(backward)) << "backward";
    (void)forward();
    EXPECT_EQ(group_.take(), here(again)) << "a further pass";
  }

  dist::Mesh mesh_{{.expert = GetParam()}, {.timeout_s = 60}};
  CountingGroup group_{mesh_.expert_group()};
  std::vector<MoeLayer> layers_;
  Plans plans_;
  BatchLayout layout_;
  at::Tensor tokens_TD_ = test::random_leaf({8, kWidth}, 17);
};

INSTANTIATE_TEST_SUITE_P(Axes, Collectives, testing::ValuesIn(axes()), testing::PrintToStringParamName());

// Each layer sends rows to the experts and back, in every pass. What others send is asked by an all-gather of counts,
// unless ranks know it.

TEST_P(Collectives, layers_whose_route_follows_from_the_layout_ask_for_counts_once) {
  stack(/*fixed=*/true);

  expect({{Collective::all_gather, 1}, {Collective::all_to_all, 4}}, {{Collective::all_to_all, 4}},
         {{Collective::all_to_all, 4}});
}

TEST_P(Collectives, layers_whose_ranks_know_each_others_tokens_never_ask) {
  const std::vector<std::int64_t> offsets = {0, 8};
  for (const bool fixed : {true, false}) {
    layers_.clear();
    plans_ = {};
    stack(fixed);
    layout_.peers.assign(static_cast<std::size_t>(group_.size()), {offsets, {}, {}});

    expect({{Collective::all_to_all, 4}}, {{Collective::all_to_all, 4}}, {{Collective::all_to_all, 4}});
  }
}

TEST_P(Collectives, a_layer_that_routes_tokens_asks_for_counts_in_the_first_pass_alone) {
  stack(/*fixed=*/false);

  expect({{Collective::all_gather, 2}, {Collective::all_to_all, 4}}, {{Collective::all_to_all, 4}},
         {{Collective::all_to_all, 4}});
}

// Backward then sends rows forward once more, and back as ever; counts are known.
TEST_P(Collectives, layers_that_run_again_in_backward_ask_for_no_counts_there) {
  for (const bool fixed : {true, false}) {
    layers_.clear();
    plans_ = {};
    stack(fixed);
    std::vector<at::Tensor> x = {tokens_TD_};
    for (const MoeLayer& layer : layers_)
      x = kernels::recomputed(
          [&](const at::Tensor& input) { return std::vector<at::Tensor>{layer.forward(input, {}, {}, plans_)}; }, x[0]);
    (void)group_.take();
    torch::autograd::backward({x[0].sum()});

    const Counts counts = group_.take();
    EXPECT_EQ(counts, group_.size() > 1 ? (Counts{{Collective::all_to_all, 8}}) : Counts());
  }
}

}  // namespace
}  // namespace coterie::experts
