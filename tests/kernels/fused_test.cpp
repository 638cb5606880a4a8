// The fused row kernels against the separate operations they replace.
#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "kernels/activation.h"
#include "kernels/fused_norm.h"
#include "tests/harness/tensors.h"
#include "tests/kernels/plain.h"

namespace coterie::kernels {
namespace {

using test::Packing;
using testing::HasSubstr;
using Tensors = std::vector<at::Tensor>;

constexpr RandomKey kKey{31};
constexpr double kEpsilon = 1e-5;

at::Tensor fused(const Tensors& in, double rate, const TokenPlaces& places) {
  return dropout_residual_norm(in[0], in[1], {in[2], in[3], kEpsilon}, rate, kKey, places);
}

at::Tensor separate(const Tensors& in, double rate, const TokenPlaces& places) {
  const at::Tensor dropped = in[0] * test::dropout_factors(in[0], rate, kKey, places);
  return at::layer_norm(in[1] + dropped, {in[0].size(1)}, in[2], in[3], kEpsilon);
}

/// Tokens, residual, weight, bias; values of size 1.
Tensors inputs_of(std::int64_t tokens, std::int64_t width, at::ScalarType dtype = at::kDouble) {
  const auto random = [&](const std::vector<std::int64_t>& sizes, std::uint64_t stream) {
    return (test::random_tensor(sizes, stream) * 2).to(dtype);
  };
  return {random({tokens, width}, 1), random({tokens, width}, 2), random({width}, 3), random({width}, 4)};
}

class FusedNorm : public testing::TestWithParam<double> {
 protected:
  const double rate_ = GetParam();
};

INSTANTIATE_TEST_SUITE_P(Rates, FusedNorm, testing::Values(0.0, 0.1, 0.5));

// 600 rows are three parts of the parameters' gradients; 301 columns are two pieces of random words.
TEST_P(FusedNorm, equals_separate_operations_in_double) {
  for (const auto& [lengths, width] :
       {std::pair<std::vector<std::int64_t>, std::int64_t>{{1}, 7}, {{3, 0, 5}, 384}, {{250, 350}, 301}}) {
    const Packing packing(lengths);
    const TokenPlaces places = packing.places();
    const Tensors in = inputs_of(packing.tokens(), width);

    EXPECT_LT(test::relative_distance(fused(in, rate_, places), separate(in, rate_, places)), 1e-12);
    const auto actual = test::gradients_of([&](const auto& x) { return fused(x, rate_, places); }, in);
    const auto expected = test::gradients_of([&](const auto& x) { return separate(x, rate_, places); }, in);
    for (std::size_t n = 0; n < 4; ++n) EXPECT_LT(test::relative_distance(actual[n], expected[n]), 1e-12) << n;
  }
}

TEST_P(FusedNorm, has_the_gradients_of_central_differences) {
  const Packing packing({2, 1});

  test::expect_central_differences([&](const auto& x) { return fused(x, rate_, packing.places()); }, inputs_of(3, 5),
                                   2e-8);  // third derivatives of a norm over five columns are larger
}

TEST_P(FusedNorm, in_float_is_as_exact_as_float_is) {
  const Packing packing({40, 60});
  const TokenPlaces places = packing.places();
  const Tensors in = inputs_of(100, 384, at::kFloat);
  Tensors exact;
  for (const at::Tensor& tensor : in) exact.push_back(tensor.to(at::kDouble));

  const auto actual = test::gradients_of([&](const auto& x) { return fused(x, rate_, places); }, in);
  const auto expected = test::gradients_of([&](const auto& x) { return separate(x, rate_, places); }, exact);

  // Ten roundings of 2^-24 = 6e-8 on the way of an element.
  EXPECT_LT(test::relative_distance(fused(in, rate_, places).to(at::kDouble), separate(exact, rate_, places)), 6e-7);
  for (std::size_t n = 0; n < 4; ++n)
    EXPECT_LT(test::relative_distance(actual[n].to(at::kDouble), expected[n]), 6e-7) << n;
}

TEST_P(FusedNorm, does_not_depend_on_the_number_of_threads) {
  const Packing packing({300, 300, 100});
  const Tensors in = inputs_of(700, 48, at::kFloat);
  const auto gradients = [&] {
    return test::gradients_of([&](const auto& x) { return fused(x, rate_, packing.places()); }, in);
  };
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = gradients();

  at::set_num_threads(3);
  const auto three = gradients();
  at::set_num_threads(before);

  for (std::size_t n = 0; n < 4; ++n) EXPECT_TRUE(at::equal(one[n], three[n])) << n;
}

TEST_P(FusedNorm, of_no_tokens_stays_in_the_graph) {
  const auto gradients = test::gradients_of([&](const auto& x) { return fused(x, rate_, {}); }, inputs_of(0, 6));

  EXPECT_EQ(gradients[0].sizes(), (std::vector<std::int64_t>{0, 6}));
  EXPECT_EQ(gradients[1].sizes(), (std::vector<std::int64_t>{0, 6}));
  EXPECT_TRUE(at::equal(gradients[2], at::zeros({6}, at::kDouble)));
  EXPECT_TRUE(at::equal(gradients[3], at::zeros({6}, at::kDouble)));
}

TEST(FusedNormShapes, are_checked) {
  const auto error = [](const Tensors& in, double rate) {
    return test::error_of<ShapeError>([&] { static_cast<void>(fused(in, rate, {})); });
  };
  Tensors in = inputs_of(3, 4);

  EXPECT_THAT(error(in, 0.1), HasSubstr("dropout: 0 places for 3 tokens"));
  EXPECT_THAT(error({in[0], in[1].narrow(0, 0, 2), in[2], in[3]}, 0.0),
              HasSubstr("norm: tokens and residual must be [T, D], got [3, 4] and [2, 4]"));
  EXPECT_THAT(error({in[0], in[1], in[2].narrow(0, 0, 3), in[3]}, 0.0),
              HasSubstr("norm: weight and bias must have 4 elements, got 3 and 4"));
}

at::Tensor activate(const at::Tensor& values_RF) {
  return bias_activate(values_RF, at::zeros({values_RF.size(1)}, at::kFloat), Activation::gelu);
}

/// Both tails and both sides of zero, in rows that end within a vector, and more rows than one part.
at::Tensor gelu_values(at::ScalarType dtype) { return at::linspace(-9, 9, 300 * 37, dtype).view({300, 37}); }

TEST(FloatGelu, is_the_double_one_to_the_last_bits) {
  const at::Tensor values = gelu_values(at::kFloat);
  // Not at::gelu, whose 1 + erf loses the lower tail.
  const at::Tensor exact = values.to(at::kDouble) * at::erfc(values.to(at::kDouble) * -std::sqrt(0.5)) / 2;

  const at::Tensor off = (activate(values).to(at::kDouble) - exact).abs();

  // The fit is off by 5.1e-8 of the tail, its nine steps and the exponential by some ten roundings of 6e-8; -x^2 / 2 is
  // rounded once, which at |x| = 9 changes the exponential by 40 * 6e-8: 3e-6 of the value in all.
  EXPECT_TRUE((off <= 3e-6 * exact.abs()).all().item<bool>()) << (off / exact.abs()).max().item<double>();
}

TEST(FloatGelu, has_the_gradient_of_the_double_one) {
  const at::Tensor values = gelu_values(at::kFloat);

  const auto actual = test::gradients_of([](const auto& x) { return activate(x[0]); }, {values});
  const auto expected = test::gradients_of([](const auto& x) { return at::gelu(x[0]); }, {values.to(at::kDouble)});

  // The slope is at most 1.13, a sum of two terms of some ten roundings.
  EXPECT_LT(test::distance(actual[0], expected[0]), 1e-6);
}

TEST(BiasActivate, equals_adding_first) {
  for (const Activation activation : {Activation::gelu, Activation::gelu_tanh})
    for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
      const Tensors in = {gelu_values(dtype), test::random_tensor({37}, 5).to(dtype)};
      const Tensors exact = {in[0].to(at::kDouble), in[1].to(at::kDouble)};
      const auto separately = [&](const auto& x) {
        return at::gelu(x[0] + x[1], activation == Activation::gelu ? "none" : "tanh");
      };

      const auto actual = test::gradients_of([&](const auto& x) { return bias_activate(x[0], x[1], activation); }, in);
      const auto expected = test::gradients_of(separately, exact);

      // As above; a column's gradient is a sum of 300.
      const at::Tensor out = bias_activate(in[0], in[1], activation).to(at::kDouble);
      EXPECT_LT(test::relative_distance(out, separately(exact)), 1e-6);
      for (std::size_t n = 0; n < 2; ++n)
        EXPECT_LT(test::relative_distance(actual[n].to(at::kDouble), expected[n]), 2e-6) << n;
    }
}

TEST(BiasActivate, needs_a_bias_for_each_column) {
  EXPECT_THAT(test::error_of<ShapeError>(
                  [] { static_cast<void>(bias_activate(gelu_values(at::kFloat), at::zeros({36}), Activation::gelu)); }),
              HasSubstr("activation: a bias must have one element per column, got [36] for [300, 37]"));
}

}  // namespace
}  // namespace coterie::kernels
