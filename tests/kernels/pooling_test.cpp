// Pooling and normalisation against loops over sequences.
#include "kernels/pooling.h"

#include <gmock/gmock.h>

#include <string>

#include "base/error.h"
#include "tests/harness/tensors.h"

namespace coterie::kernels {
namespace {

using testing::HasSubstr;

const std::vector<std::int64_t> kOffsets = {0, 3, 4, 9};

at::Tensor plain_pool(const at::Tensor& tokens_TD, Pooling pooling) {
  std::vector<at::Tensor> rows;
  for (std::size_t b = 0; b + 1 < kOffsets.size(); ++b) {
    const at::Tensor sequence_ND = tokens_TD.slice(0, kOffsets[b], kOffsets[b + 1]);
    if (pooling == Pooling::cls) rows.push_back(sequence_ND[0]);
    if (pooling == Pooling::mean) rows.push_back(sequence_ND.mean(0));
    if (pooling == Pooling::max) rows.push_back(std::get<0>(sequence_ND.max(0)));
  }
  return at::stack(rows);
}

class Pools : public testing::TestWithParam<Pooling> {
 protected:
  static at::Tensor pooled(const std::vector<at::Tensor>& tokens) { return pool(tokens[0], kOffsets, GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(
    Kinds, Pools, testing::Values(Pooling::mean, Pooling::cls, Pooling::max), [](const auto& kind) {
      return std::string(kind.param == Pooling::mean ? "mean" : kind.param == Pooling::cls ? "cls" : "max");
    });

TEST_P(Pools, each_sequence_by_itself) {
  const at::Tensor tokens_TD = test::random_tensor({9, 5}, 1);

  // A mean of at most five numbers below one half: 5 * 2^-53.
  EXPECT_LT(test::distance(pool(tokens_TD, kOffsets, GetParam()), plain_pool(tokens_TD, GetParam())), 1e-15);
}

TEST_P(Pools, floats_to_floats) {
  const at::Tensor tokens_TD = test::random_tensor({9, 5}, 1).to(at::kFloat);

  const at::Tensor pooled_BD = pool(tokens_TD, kOffsets, GetParam());

  EXPECT_EQ(pooled_BD.scalar_type(), at::kFloat);
  // 5 * 2^-24
  EXPECT_LT(test::distance(pooled_BD, plain_pool(tokens_TD.to(at::kDouble), GetParam())), 3e-7);
}

TEST_P(Pools, with_the_gradient_of_central_differences) {
  test::expect_central_differences(pooled, {test::random_tensor({9, 3}, 2)});
}

TEST_P(Pools, no_sequences_and_stays_in_the_graph) {
  const at::Tensor tokens_TD = test::random_leaf({0, 5}, 1);

  const at::Tensor pooled_BD = pool(tokens_TD, {0}, GetParam());
  torch::autograd::backward({pooled_BD.sum()});

  EXPECT_EQ(pooled_BD.sizes(), (std::vector<std::int64_t>{0, 5}));
  EXPECT_EQ(tokens_TD.grad().sizes(), (std::vector<std::int64_t>{0, 5}));
}

TEST_P(Pools, no_empty_sequence) {
  const at::Tensor tokens_TD = test::random_tensor({9, 5}, 1);

  const std::string error = test::error_of<ShapeError>([&] {
    static_cast<void>(pool(tokens_TD, {0, 3, 3, 9}, GetParam()));
  });

  EXPECT_THAT(error, HasSubstr("pooling: a sequence has no tokens"));
}

TEST_P(Pools, no_offsets_that_miss_the_tokens) {
  const at::Tensor tokens_TD = test::random_tensor({9, 5}, 1);

  for (const std::vector<std::int64_t>& offsets : {std::vector<std::int64_t>{0, 3, 10}, {0, 3, 8}, {1, 3, 9}, {0}, {}})
    EXPECT_THAT(test::error_of<ShapeError>([&] { static_cast<void>(pool(tokens_TD, offsets, GetParam())); }),
                HasSubstr("pooling: offsets must go from 0 to 9"));
}

TEST(NormalizeRows, makes_unit_rows_of_the_same_direction) {
  const at::Tensor rows_BD = test::random_tensor({4, 7}, 1) * 30;

  const at::Tensor unit_BD = normalize_rows(rows_BD);

  // Norm and quotient round a few times each: 20 * 2^-53.
  for (std::int64_t b = 0; b < 4; ++b) {
    EXPECT_NEAR((unit_BD[b] * unit_BD[b]).sum().item<double>(), 1.0, 3e-15);
    EXPECT_NEAR((unit_BD[b] * rows_BD[b]).sum().item<double>() / rows_BD[b].norm().item<double>(), 1.0, 3e-15);
  }
}

TEST(NormalizeRows, has_the_gradient_of_central_differences) {
  test::expect_central_differences([](const auto& in) { return normalize_rows(in[0]); },
                                   {test::random_tensor({3, 4}, 1) + 1});
}

TEST(NormalizeRows, leaves_a_zero_row_zero_with_a_finite_gradient) {
  const at::Tensor rows_BD = at::zeros({2, 3}, at::kDouble).requires_grad_();

  const at::Tensor unit_BD = normalize_rows(rows_BD);
  torch::autograd::backward({unit_BD.sum()});

  EXPECT_TRUE(at::equal(unit_BD, at::zeros({2, 3}, at::kDouble)));
  EXPECT_TRUE(rows_BD.grad().isfinite().all().item<bool>());
}

TEST(NormalizeRows, no_rows_are_legal) {
  EXPECT_EQ(normalize_rows(test::random_tensor({0, 4}, 1)).sizes(), (std::vector<std::int64_t>{0, 4}));
}

}  // namespace
}  // namespace coterie::kernels
