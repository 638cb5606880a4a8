// Repeated rows, and how their gradients are summed.
#include "kernels/spread_rows.h"

#include "tests/harness/tensors.h"

namespace coterie::kernels {
namespace {

const std::vector<std::int64_t> kFrom = {0, 0, 2, 3, 3, 3};
const std::vector<std::int64_t> kCount = {2, 0, 1, 3};

TEST(SpreadRows, repeats_rows_and_sums_their_gradients) {
  const at::Tensor rows_ND = test::random_leaf({4, 5}, 1);
  const at::Tensor weight_SD = test::random_tensor({6, 5}, 2);

  const at::Tensor out_SD = spread_rows(rows_ND, at::tensor(kFrom, at::kLong), at::tensor(kCount, at::kLong));
  torch::autograd::backward({(out_SD * weight_SD).sum()});

  for (std::int64_t s = 0; s < 6; ++s) EXPECT_TRUE(at::equal(out_SD[s], rows_ND[kFrom[static_cast<std::size_t>(s)]]));
  at::Tensor expected_ND = at::zeros({4, 5}, at::kDouble);
  for (std::int64_t s = 0; s < 6; ++s) expected_ND[kFrom[static_cast<std::size_t>(s)]] += weight_SD[s];
  EXPECT_LT(test::distance(rows_ND.grad(), expected_ND), 1e-15);
}

// 256 + 1 + 1 is 258 in fp32 and in bf16; added in bf16 one by one, each 1 would be lost.
TEST(SpreadRows, sums_the_gradients_of_bf16_rows_in_fp32) {
  const at::Tensor rows_ND = at::zeros({1, 3}, at::kBFloat16).requires_grad_();
  const at::Tensor weight_SD = at::tensor({256.0, 1.0, 1.0}).unsqueeze(1).expand({3, 3}).to(at::kBFloat16);

  const at::Tensor out_SD = spread_rows(rows_ND, at::zeros({3}, at::kLong), at::full({1}, 3, at::kLong));
  torch::autograd::backward({out_SD}, {weight_SD});

  EXPECT_TRUE(at::equal(rows_ND.grad(), at::full({1, 3}, 258.0).to(at::kBFloat16)));
}

TEST(SpreadRows, spreads_nothing) {
  const at::Tensor rows_ND = test::random_leaf({0, 5}, 1);
  const at::Tensor none = at::zeros({0}, at::kLong);

  const at::Tensor out_SD = spread_rows(rows_ND, none, none);
  torch::autograd::backward({out_SD.sum()});

  EXPECT_EQ(out_SD.size(0), 0);
  EXPECT_EQ(rows_ND.grad().numel(), 0);
}

}  // namespace
}  // namespace coterie::kernels
