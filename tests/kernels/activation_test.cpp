// The activations against their formulas.
#include "kernels/activation.h"

#include <cmath>

#include "tests/harness/tensors.h"

namespace coterie::kernels {
namespace {

at::Tensor from_formula(const at::Tensor& values, double (*formula)(double)) {
  at::Tensor out = at::empty_like(values);
  for (std::int64_t i = 0; i < values.numel(); ++i)
    out.mutable_data_ptr<double>()[i] = formula(values.const_data_ptr<double>()[i]);
  return out;
}

double erf_gelu(double x) { return x * 0.5 * (1.0 + std::erf(x / std::sqrt(2.0))); }

double tanh_gelu(double x) { return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x))); }

class Activations : public testing::Test {
 protected:
  [[nodiscard]] static at::Tensor activate(const at::Tensor& values_RF, Activation activation) {
    return bias_activate(values_RF, at::zeros({values_RF.size(1)}, values_RF.options().requires_grad(false)),
                         activation);
  }

  // Both tails, where one factor vanishes, and both sides of zero.
  const at::Tensor values_ = at::linspace(-9, 9, 721, at::kDouble).view({7, 103});
};

// erf and tanh of two libraries differ by some ulp; |x| is at most 9: 9 * 8 ulp * 2^-53 < 1e-14.

TEST_F(Activations, gelu_is_x_times_the_normal_distribution_function) {
  EXPECT_LT(test::distance(activate(values_, Activation::gelu), from_formula(values_, erf_gelu)), 1e-14);
}

TEST_F(Activations, gelu_tanh_is_the_approximation) {
  EXPECT_LT(test::distance(activate(values_, Activation::gelu_tanh), from_formula(values_, tanh_gelu)), 1e-14);
}

TEST_F(Activations, differ_from_each_other) {
  // The approximation is off by up to 5e-4.
  EXPECT_GT(test::distance(activate(values_, Activation::gelu), activate(values_, Activation::gelu_tanh)), 1e-4);
}

TEST_F(Activations, keep_shape_and_dtype) {
  const at::Tensor values = values_.to(at::kFloat);

  const at::Tensor out = activate(values, Activation::gelu);

  EXPECT_EQ(out.sizes(), values.sizes());
  EXPECT_EQ(out.scalar_type(), at::kFloat);
}

TEST_F(Activations, have_the_gradient_of_central_differences) {
  for (const Activation activation : {Activation::gelu, Activation::gelu_tanh})
    test::expect_central_differences([&](const auto& in) { return activate(in[0], activation); },
                                     {test::random_tensor({3, 4}, 1) * 4});
}

}  // namespace
}  // namespace coterie::kernels
