// Products whose rows are cut, or that go by floats, against whole ones in double.
#include "kernels/row_products.h"

#include <gtest/gtest.h>

#include <string_view>

#include "kernels/simd/functions.h"
#include "tests/harness/tensors.h"

namespace coterie::kernels {
namespace {

/// Half the distance of neighbours in bf16, relative.
constexpr double kRounding = 1.0 / 256;

/// Numbers that bf16 holds exactly.
at::Tensor halves(const std::vector<std::int64_t>& sizes, std::uint64_t stream) {
  return test::random_tensor(sizes, stream).to(at::kBFloat16);
}

double norm_error(const at::Tensor& actual, const at::Tensor& expected) {
  return ((actual.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

// Fewer rows than a step, whole steps, and both with a rest; the step is 32 up to 2 047 rows, then 64.
constexpr std::int64_t kRows[] = {1, 31, 32, 50, 96, 2048, 2100};

TEST(RowProduct, is_the_whole_product_rounded_once) {
  const at::Tensor weight = halves({24, 40}, 1);
  const at::Tensor bias = halves({24}, 2);
  for (const std::int64_t rows : kRows) {
    const at::Tensor in = halves({rows, 40}, 3);
    const at::Tensor expected = in.to(at::kDouble).mm(weight.to(at::kDouble).t());

    EXPECT_LT(norm_error(row_product(in, weight), expected), kRounding) << rows;
    EXPECT_LT(norm_error(row_product(in, weight, bias), expected + bias.to(at::kDouble)), kRounding) << rows;
    EXPECT_LT(norm_error(row_product(in, weight.t().contiguous().t()), expected), kRounding) << rows;
  }
}

TEST(RowProduct, of_each_row_is_its_own) {
  const at::Tensor weight = halves({24, 40}, 1);
  const at::Tensor in = halves({50, 40}, 3);
  const at::Tensor all = row_product(in, weight);

  // The same dot products of 40 terms, in fp32 and rounded once.
  for (const std::int64_t row : {0, 31, 32, 49})
    EXPECT_LT(norm_error(all[row], in[row].to(at::kDouble).matmul(weight.to(at::kDouble).t())), kRounding) << row;
}

TEST(RowProduct, of_no_rows_has_none) {
  EXPECT_EQ(row_product(halves({0, 40}, 3), halves({24, 40}, 1)).sizes(), (std::vector<std::int64_t>{0, 24}));
}

TEST(WeightGradient, is_the_whole_product_in_the_master_dtype) {
  for (const std::int64_t rows : kRows) {
    const at::Tensor gradient = halves({rows, 24}, 4);
    const at::Tensor in = halves({rows, 40}, 5);

    const at::Tensor sum = weight_gradient(gradient, in, at::kFloat);

    EXPECT_EQ(sum.scalar_type(), at::kFloat);
    EXPECT_LT(norm_error(sum, gradient.to(at::kDouble).t().mm(in.to(at::kDouble))), kRounding) << rows;
    // A float times a float has more digits than bf16; what was added up as floats keeps them.
    const bool is_rounded = at::equal(sum, sum.to(at::kBFloat16).to(at::kFloat));
    EXPECT_FALSE(is_rounded && multiplied_dtype(at::kBFloat16, at::kCPU) == at::kFloat) << rows;
  }
}

TEST(MultipliedDtype, is_fp32_for_bf16_where_the_set_in_use_has_no_instructions_for_it_alone) {
  const bool has_instructions = std::string_view(simd::function_set().name).ends_with("_bf16");

  EXPECT_EQ(multiplied_dtype(at::kBFloat16, at::kCPU), has_instructions ? at::kBFloat16 : at::kFloat);
  EXPECT_EQ(multiplied_dtype(at::kBFloat16, at::kCUDA), at::kBFloat16);
  EXPECT_EQ(multiplied_dtype(at::kDouble, at::kCPU), at::kDouble);
}

TEST(WeightGradient, of_no_rows_is_zero) {
  const at::Tensor sum = weight_gradient(halves({0, 24}, 4), halves({0, 40}, 5), at::kFloat);

  EXPECT_TRUE(at::equal(sum, at::zeros({24, 40})));
}

TEST(WeightGradient, in_double_is_that_of_double) {
  const at::Tensor gradient = test::random_tensor({50, 24}, 4);
  const at::Tensor in = test::random_tensor({50, 40}, 5);

  EXPECT_TRUE(at::equal(weight_gradient(gradient, in, at::kDouble), gradient.t().mm(in)));
}

}  // namespace
}  // namespace coterie::kernels
