// The kernels on bf16: what they compute is what double computes from the same numbers, rounded to bf16 at the end.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <tuple>

#include "base/error.h"
#include "kernels/activation.h"
#include "kernels/fused_norm.h"
#include "kernels/linear.h"
#include "kernels/mlp.h"
#include "tests/harness/tensors.h"
#include "tests/kernels/plain.h"

namespace coterie::kernels {
namespace {

using test::Packing;
using Tensors = std::vector<at::Tensor>;

/// Half the distance of neighbours, relative: 8 bits of significand.
constexpr double kRounding = 1.0 / 256;

/// Numbers that bf16 holds exactly.
at::Tensor random_half(const std::vector<std::int64_t>& sizes, std::uint64_t stream, double factor = 1.0) {
  return (test::random_tensor(sizes, stream) * factor).to(at::kBFloat16);
}

/// Largest |actual - expected| / (|expected| + floor).
double relative_error(const at::Tensor& actual, const at::Tensor& expected, double floor) {
  return ((actual.to(at::kDouble) - expected).abs() / (expected.abs() + floor)).max().item<double>();
}

double norm_error(const at::Tensor& actual, const at::Tensor& expected) {
  return ((actual.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

/// Output and gradients for a given gradient of the output, which bf16 holds exactly too.
struct Passes {
  at::Tensor out;
  Tensors gradients;
};

template <class Function>
Passes run(const Function& function, Tensors inputs, const at::Tensor& gradient) {
  for (at::Tensor& input : inputs) input = input.detach().requires_grad_();
  const at::Tensor out = function(inputs);
  out.backward(gradient.to(out.scalar_type()));
  Passes passes{out.detach(), {}};
  for (const at::Tensor& input : inputs) passes.gradients.push_back(input.grad());
  return passes;
}

Tensors in_double(const Tensors& inputs) {
  Tensors out;
  for (const at::Tensor& input : inputs) out.push_back(input.to(at::kDouble));
  return out;
}

TEST(HalfAttention, is_that_of_double_but_for_its_roundings) {
  const auto forward = simd::function_set().half.attention.forward;
  const bool in_pairs = forward == simd::kBf16Attention.forward || forward == simd::kAmxAttention.forward;
  const double roundings = in_pairs ? 2 : 1;
  // The heads of 20 columns end within a vector: what is written must not reach the next one's. Those of 64 fill two
  // panels, and 33 columns are no whole number of pairs.
  for (const auto& [heads, head_width, rate] :
       {std::tuple(2, 32, 0.0), std::tuple(2, 32, 0.1), std::tuple(3, 20, 0.0), std::tuple(3, 20, 0.1),
        std::tuple(2, 64, 0.1), std::tuple(1, 33, 0.1)}) {
    const std::int64_t width = heads * head_width;
    const std::int64_t number = heads;
    const double dropped = rate;
    const Packing packing({7, 64, 65, 130, 1, 290});
    const AttentionDropout dropout{dropped, {77}};
    Tensors in;
    for (const std::uint64_t stream : {1, 2, 3}) in.push_back(random_half({packing.tokens(), width}, stream));
    const at::Tensor gradient = random_half({packing.tokens(), width}, 4);
    const auto own = [&](const Tensors& x) {
      return attention(at::cat({x[0], x[1], x[2]}, 1), number, packing.offsets, packing.index, dropout);
    };
    const auto plain = [&](const Tensors& x) {
      return test::plain_attention(x[0], x[1], x[2], number, packing, dropout);
    };

    const Passes half = run(own, in, gradient);
    const Passes exact = run(plain, in_double(in), gradient);

    // The result is rounded, and in bf16 products the probabilities too; sums are fp32, of at most 290 terms of size 1:
    // 290 * 6e-8 = 2e-5.
    if (!in_pairs) {
      EXPECT_LT(relative_error(half.out, exact.out, 2e-5 / kRounding), kRounding);
    }
    EXPECT_LT(norm_error(half.out, exact.out), roundings * kRounding);
    EXPECT_LT(norm_error(half.gradients[2], exact.gradients[2]), roundings * kRounding);
    // Queries and keys see the rounded output through delta = out . gradient, an error of at most 2^-8 |out| |gradient|
    // a row against scores' gradients that are differences of terms of that size: twice the rounding in all.
    EXPECT_LT(norm_error(half.gradients[0], exact.gradients[0]), 2 * roundings * kRounding);
    EXPECT_LT(norm_error(half.gradients[1], exact.gradients[1]), 2 * roundings * kRounding);
  }
}

TEST(HalfNorm, is_that_of_double_rounded_once) {
  for (const double rate : {0.0, 0.1}) {
    const Packing packing({20, 33});
    const auto places = packing.places();
    const Tensors halves = {random_half({53, 300}, 1), random_half({53, 300}, 2)};
    const at::Tensor weight = test::random_tensor({300}, 3).to(at::kFloat);
    const at::Tensor bias = test::random_tensor({300}, 4).to(at::kFloat);
    const at::Tensor gradient = random_half({53, 300}, 5);
    const auto own = [&](const Tensors& x) {
      return dropout_residual_norm(x[0], x[1], {x[2], x[3], 1e-12}, rate, {9}, places);
    };

    const Passes half = run(own, {halves[0], halves[1], weight, bias}, gradient);
    const Passes exact = run(own, in_double({halves[0], halves[1], weight, bias}), gradient);

    EXPECT_EQ(half.gradients[2].scalar_type(), at::kFloat);
    // fp32 errors are below 300 * 6e-8.
    EXPECT_LT(relative_error(half.out, exact.out, 2e-5 / kRounding), kRounding);
    // Backward sees the rounded normalised sums: one rounding there and one at the end.
    for (std::size_t n = 0; n < 4; ++n)
      EXPECT_LT(norm_error(half.gradients[n], exact.gradients[n]), 2 * kRounding) << n;
    EXPECT_TRUE((half.gradients[0] == 0).equal(exact.gradients[0] == 0)) << "other elements were dropped";
  }
}

TEST(HalfGelu, is_that_of_double_rounded_once) {
  const at::Tensor values = at::linspace(-6, 6, 300 * 37, at::kDouble).view({300, 37}).to(at::kBFloat16);
  const at::Tensor bias = test::random_tensor({37}, 1).to(at::kFloat);
  const at::Tensor gradient = random_half({300, 37}, 2);
  const auto own = [](const Tensors& x) { return bias_activate(x[0], x[1], Activation::gelu); };

  const Passes half = run(own, {values, bias}, gradient);
  const Passes exact = run(own, in_double({values, bias}), gradient);

  EXPECT_LT(relative_error(half.out, exact.out, 1e-6 / kRounding), kRounding);
  EXPECT_LT(relative_error(half.gradients[0], exact.gradients[0], 1e-6 / kRounding), kRounding);
  // Summed in fp32, before any rounding to bf16.
  EXPECT_LT(norm_error(half.gradients[1], exact.gradients[1]), 1e-5);
}

TEST(HalfDropout, drops_what_float_drops) {
  const Packing packing({20, 33});
  const at::Tensor tokens = random_half({53, 70}, 1);

  // A third makes the factor 1.5: half of the odd significands then lie between two neighbours, at the same distance.
  for (const double rate : {0.1, 1.0 / 3}) {
    const at::Tensor half = dropout(tokens, rate, {5}, packing.places());
    const at::Tensor single = dropout(tokens.to(at::kFloat), rate, {5}, packing.places());

    EXPECT_TRUE(half.equal(single.to(at::kBFloat16))) << rate;
  }
}

// A payload of ones only would round to minus zero.
TEST(HalfNorm, what_is_no_number_stays_none) {
  const at::Tensor tokens = random_half({2, 20}, 1);
  at::Tensor bias = at::zeros({20}, at::kFloat);
  const std::uint32_t ones = 0x7FFFFFFF;
  std::memcpy(bias.mutable_data_ptr<float>() + 3, &ones, sizeof(ones));

  const at::Tensor out = dropout_residual_norm(tokens, tokens, {at::ones({20}), bias, 1e-12}, 0.0, {1}, {});

  EXPECT_TRUE(out.select(1, 3).isnan().all().item<bool>());
  EXPECT_EQ(out.isnan().sum().item<std::int64_t>(), 2);
}

TEST(HalfKernels, refuse_operands_of_two_dtypes) {
  const at::Tensor half = random_half({4, 20}, 1);
  const at::Tensor single = half.to(at::kFloat);
  const NormParameters norm{at::ones({20}), at::zeros({20}), 1e-12};
  const auto said = testing::HasSubstr("must be BFloat16 like the others, got Float [4, 20]");

  EXPECT_THAT(
      test::error_of<ShapeError>([&] { static_cast<void>(dropout_residual_norm(half, single, norm, 0.0, {1}, {})); }),
      said);
}

TEST(HalfLinear, gives_float_gradients_to_the_masters) {
  ParameterStore store({{"weight", test::random_tensor({24, 40}, 1), {}}, {"bias", test::random_tensor({24}, 2), {}}},
                       {at::kFloat, at::kBFloat16});
  const at::Tensor rows = random_half({50, 40}, 3).requires_grad_();
  const at::Tensor gradient = random_half({50, 24}, 4);
  const Tensors exact_in = in_double({rows, store.operand("weight").value, store.operand("bias").value});

  const at::Tensor out = linear(rows, store.operand("weight"), store.operand("bias"));
  out.backward(gradient);
  const Passes exact = run([](const Tensors& x) { return at::linear(x[0], x[1], x[2]); }, exact_in, gradient);

  // Products of bf16 are exact in fp32; sums of 50 terms lose 50 * 6e-8 of their size, then one rounding.
  EXPECT_LT(norm_error(out.detach(), exact.out), kRounding);
  EXPECT_LT(norm_error(rows.grad(), exact.gradients[0]), kRounding);
  EXPECT_LT(norm_error(store.at("weight").grad(), exact.gradients[1]), kRounding);
  EXPECT_LT(norm_error(store.at("bias").grad(), exact.gradients[2]), 1e-5);
  EXPECT_EQ(store.at("weight").grad().scalar_type(), at::kFloat);
}

TEST(HalfLinear, without_a_bias_is_the_bare_product) {
  ParameterStore store({{"weight", test::random_tensor({24, 40}, 1), {}}}, {at::kFloat, at::kBFloat16});
  const at::Tensor rows = random_half({50, 40}, 3).requires_grad_();
  const at::Tensor gradient = random_half({50, 24}, 4);

  const at::Tensor out = product(rows, store.operand("weight"));
  out.backward(gradient);
  const Passes exact = run([](const Tensors& x) { return at::linear(x[0], x[1]); },
                           in_double({rows, store.operand("weight").value}), gradient);

  EXPECT_LT(norm_error(out.detach(), exact.out), kRounding);
  EXPECT_LT(norm_error(rows.grad(), exact.gradients[0]), kRounding);
  EXPECT_LT(norm_error(store.at("weight").grad(), exact.gradients[1]), kRounding);
}

TEST(HalfMlp, gives_float_gradients_to_the_masters) {
  ParameterStore store({{"up", test::random_tensor({96, 40}, 1), {}},
                        {"up_bias", test::random_tensor({96}, 2), {}},
                        {"down", test::random_tensor({40, 96}, 3), {}},
                        {"down_bias", test::random_tensor({40}, 4), {}}},
                       {at::kFloat, at::kBFloat16});
  const at::Tensor rows = random_half({50, 40}, 5).requires_grad_();
  const at::Tensor gradient = random_half({50, 40}, 6);
  const MlpWeights weights = {store.operand("up"), store.operand("up_bias"), store.operand("down"),
                              store.operand("down_bias")};
  // The bias before the non-linearity is the master itself.
  const Tensors exact_in = in_double({rows, weights.up_weight_FD.value, weights.up_bias_F.leaf,
                                      weights.down_weight_DF.value, weights.down_bias_D.value});

  const at::Tensor out = mlp(rows, weights, Activation::gelu);
  out.backward(gradient);
  const Passes exact =
      run([](const Tensors& x) { return at::linear(at::gelu(at::linear(x[0], x[1], x[2])), x[3], x[4]); }, exact_in,
          gradient);

  // x U^T, the non-linearity and the result are rounded, each by at most 2^-8 of its size, and a product of what was
  // rounded is off by as much; back, the gradient of the hidden values too: no tensor passes more than four.
  EXPECT_LT(norm_error(out.detach(), exact.out), 4 * kRounding);
  EXPECT_LT(norm_error(rows.grad(), exact.gradients[0]), 4 * kRounding);
  const char* const names[] = {"up", "up_bias", "down", "down_bias"};
  for (std::size_t n = 0; n < 4; ++n) {
    EXPECT_LT(norm_error(store.at(names[n]).grad(), exact.gradients[n + 1]), 4 * kRounding) << names[n];
    EXPECT_EQ(store.at(names[n]).grad().scalar_type(), at::kFloat);
  }
}

TEST(HalfLinear, refuses_rows_of_another_dtype) {
  ParameterStore store({{"weight", test::random_tensor({2, 3}, 1), {}}}, {at::kFloat, at::kBFloat16});

  EXPECT_THAT(test::error_of<ShapeError>([&] {
                static_cast<void>(product(at::zeros({4, 3}), store.operand("weight")));
              }),
              testing::HasSubstr("linear: rows must be BFloat16 like the weight, got Float"));
}

}  // namespace
}  // namespace coterie::kernels
