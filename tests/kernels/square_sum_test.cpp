// Sums of squares against those in double.
#include "kernels/square_sum.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/harness/tensors.h"

namespace coterie::kernels {
namespace {

double in_double(const at::Tensor& numbers) { return numbers.to(at::kDouble).square().sum().item<double>(); }

// Each of some lanes adds at most 512 squares one after another: 512 roundings at the very worst, in float 6e-8 each.
constexpr double kFloatBound = 512 * 6e-8;
constexpr double kDoubleBound = 512 * 1.2e-16;

TEST(SquareSum, of_any_count_is_that_in_double) {
  // Less than a row, whole rows, rows and a rest.
  for (const std::int64_t count : {0, 1, 511, 512, 3 * 512, 4000 * 512 + 77})
    for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
      const at::Tensor numbers = test::random_tensor({count}, 1).to(dtype);

      const at::Tensor sum = square_sum(numbers);

      const double bound = (dtype == at::kFloat ? kFloatBound : kDoubleBound) * in_double(numbers);
      EXPECT_NEAR(sum.item<double>(), in_double(numbers), bound) << count << " in " << dtype;
      EXPECT_EQ(sum.scalar_type(), at::kDouble);
      EXPECT_TRUE(at::equal(sum, square_sum(numbers.clone())));
    }
}

TEST(SquareSum, of_numbers_whose_sum_is_beyond_float_is_finite) {
  const at::Tensor numbers = at::full({200 * 512}, 1e17, at::kFloat);

  EXPECT_NEAR(square_sum(numbers).item<double>() / in_double(numbers), 1.0, kFloatBound);
}

TEST(SquareSum, of_what_is_not_finite_is_not_finite) {
  for (const std::int64_t place : {5, 512, 1100}) {
    at::Tensor numbers = at::zeros({1101}, at::kFloat);
    numbers[place] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_FALSE(std::isfinite(square_sum(numbers).item<double>())) << place;
    numbers[place] = std::numeric_limits<float>::infinity();
    EXPECT_FALSE(std::isfinite(square_sum(numbers).item<double>())) << place;
  }
}

}  // namespace
}  // namespace coterie::kernels
