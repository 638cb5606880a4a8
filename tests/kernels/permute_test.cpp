// Reordered rows and their gradient.
#include "kernels/permute.h"

#include "tests/harness/tensors.h"

namespace coterie::kernels {
namespace {

// A permutation that is not its own inverse, so that mixing up the two shows.
const std::vector<std::int64_t> kOrder = {2, 0, 3, 1, 4};
const std::vector<std::int64_t> kInverse = {1, 3, 0, 2, 4};

TEST(PermuteRows, puts_row_order_i_at_i) {
  const at::Tensor rows_SD = test::random_tensor({5, 3}, 1);

  const at::Tensor out_SD = permute_rows(rows_SD, at::tensor(kOrder), at::tensor(kInverse));

  for (std::size_t i = 0; i < kOrder.size(); ++i)
    EXPECT_TRUE(at::equal(out_SD[static_cast<std::int64_t>(i)], rows_SD[kOrder[i]])) << i;
}

TEST(PermuteRows, sends_each_gradient_to_the_row_it_came_from) {
  const at::Tensor rows_SD = test::random_leaf({5, 3}, 1);
  const at::Tensor weights_SD = test::random_tensor({5, 3}, 2);

  torch::autograd::backward({(permute_rows(rows_SD, at::tensor(kOrder), at::tensor(kInverse)) * weights_SD).sum()});

  for (std::size_t i = 0; i < kOrder.size(); ++i)
    EXPECT_TRUE(at::equal(rows_SD.grad()[kOrder[i]], weights_SD[static_cast<std::int64_t>(i)])) << i;
}

TEST(PermuteRows, no_rows_are_legal_in_both_passes) {
  const at::Tensor rows_SD = test::random_leaf({0, 3}, 1);
  const at::Tensor none = at::empty({0}, at::kLong);

  torch::autograd::backward({permute_rows(rows_SD, none, none).sum()});

  EXPECT_EQ(rows_SD.grad().sizes(), (std::vector<std::int64_t>{0, 3}));
}

}  // namespace
}  // namespace coterie::kernels
