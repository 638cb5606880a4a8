// The experts of one rank on blocks of rows.
#include "experts/expert_ffn.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/experts/mlps.h"

namespace coterie::experts {
namespace {

using testing::HasSubstr;

const std::vector<std::int64_t> kRows = {2, 0, 3};

std::vector<Mlp> three_experts() { return {random_mlp(0), random_mlp(1), random_mlp(2)}; }

TEST(ExpertFfn, applies_each_expert_to_its_own_block) {
  const std::vector<Mlp> experts = three_experts();
  const at::Tensor rows_RD = test::random_tensor({5, kWidth}, 1);

  const at::Tensor out_RD = ExpertFfn(experts, kernels::Activation::gelu).forward(rows_RD, kRows);

  // Dot products of 3 and 5 terms below 1: some 20 * 2^-53.
  for (std::int64_t r = 0; r < 5; ++r)
    EXPECT_LT(test::distance(out_RD[r], plain_mlp(experts[r < 2 ? 0 : 2], rows_RD[r])), 3e-15) << r;
}

TEST(ExpertFfn, multiplies_the_hidden_units_of_an_enlarged_expert_by_its_gate) {
  const std::vector<Mlp> experts = {random_glu(0), random_glu(1)};
  const at::Tensor rows_RD = test::random_tensor({5, kWidth}, 1);

  const at::Tensor out_RD = ExpertFfn(experts, kernels::Activation::gelu).forward(rows_RD, {2, 3});

  for (std::int64_t r = 0; r < 5; ++r)
    EXPECT_LT(test::distance(out_RD[r], plain_mlp(experts[r < 2 ? 0 : 1], rows_RD[r])), 3e-15) << r;
}

// Plain ones run in one node of the graph, enlarged ones in several.
TEST(ExpertFfn, has_the_gradients_of_the_formula_row_by_row) {
  for (const auto& make : {&random_mlp, &random_glu}) {
    const std::vector<Mlp> experts = {make(0), make(1)};
    const std::vector<Mlp> references = {make(0), make(1)};
    const at::Tensor rows_RD = test::random_leaf({5, kWidth}, 1);
    const at::Tensor reference_RD = test::random_leaf({5, kWidth}, 1);
    const at::Tensor loss_RD = test::random_tensor({5, kWidth}, 2);
    at::Tensor loss = at::zeros({}, at::kDouble);
    for (std::int64_t r = 0; r < 5; ++r)
      loss = loss + (plain_mlp(references[r < 2 ? 0 : 1], reference_RD[r]) * loss_RD[r]).sum();
    torch::autograd::backward({loss});

    const at::Tensor out_RD = ExpertFfn(experts, kernels::Activation::gelu).forward(rows_RD, {2, 3});
    torch::autograd::backward({(out_RD * loss_RD).sum()});

    // Sums of at most 5 products of a few terms of order one: some 100 * 2^-53, far below the 1e-10 of the design.
    EXPECT_LT(test::relative_distance(rows_RD.grad(), reference_RD.grad()), 1e-10);
    for (std::size_t e = 0; e < 2; ++e) {
      const std::vector<at::Tensor> tensors = tensors_of(experts[e]);
      const std::vector<at::Tensor> expected = tensors_of(references[e]);
      for (std::size_t n = 0; n < tensors.size(); ++n)
        EXPECT_LT(test::relative_distance(tensors[n].grad(), expected[n].grad()), 1e-10)
            << "expert " << e << ", tensor " << n << " of " << tensors.size();
    }
  }
}

TEST(ExpertFfn, gives_an_expert_without_rows_a_zero_gradient) {
  const std::vector<Mlp> experts = three_experts();

  torch::autograd::backward(
      {ExpertFfn(experts, kernels::Activation::gelu).forward(test::random_tensor({5, kWidth}, 1), kRows).sum()});

  for (const at::Tensor& tensor : tensors_of(experts[1])) {
    ASSERT_TRUE(tensor.grad().defined());
    EXPECT_TRUE(at::equal(tensor.grad(), at::zeros_like(tensor)));
  }
  EXPECT_GT(experts[0].up_weight_FD.leaf.grad().norm().item<double>(), 0);
}

TEST(ExpertFfn, takes_the_activation_it_is_told) {
  const std::vector<Mlp> experts = three_experts();
  const at::Tensor rows_RD = test::random_tensor({5, kWidth}, 1) * 4;

  const at::Tensor exact = ExpertFfn(experts, kernels::Activation::gelu).forward(rows_RD, kRows);
  const at::Tensor by_tanh = ExpertFfn(experts, kernels::Activation::gelu_tanh).forward(rows_RD, kRows);

  EXPECT_GT(test::distance(exact, by_tanh), 1e-6);
}

TEST(ExpertFfn, without_rows_is_legal) {
  const ExpertFfn experts(three_experts(), kernels::Activation::gelu);

  const at::Tensor out_RD = experts.forward(test::random_leaf({0, kWidth}, 1), {0, 0, 0});

  EXPECT_EQ(out_RD.sizes(), (std::vector<std::int64_t>{0, kWidth}));
  EXPECT_TRUE(out_RD.requires_grad());
}

TEST(ExpertFfn, needs_a_count_for_each_expert) {
  const ExpertFfn experts(three_experts(), kernels::Activation::gelu);

  EXPECT_THAT(test::error_of<ShapeError>([&] {
                static_cast<void>(experts.forward(test::random_tensor({5, kWidth}, 1), {2, 3}));
              }),
              HasSubstr("experts: 2 counts for 3 experts"));
}

}  // namespace
}  // namespace coterie::experts
