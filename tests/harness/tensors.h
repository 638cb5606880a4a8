// Random tensors, and central differences against which every gradient is held.
#pragma once

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"

namespace coterie::test {

/// Uniform numbers in [-0.5, 0.5): a function of stream and element.
inline at::Tensor random_tensor(const std::vector<std::int64_t>& sizes, std::uint64_t stream) {
  at::Tensor values = at::empty(sizes, at::kDouble);
  for (std::int64_t i = 0; i < values.numel(); ++i)
    values.mutable_data_ptr<double>()[i] = random_unit(RandomKey{stream}, static_cast<std::uint64_t>(i)) - 0.5;
  return values;
}

/// The same as leaf of a graph.
inline at::Tensor random_leaf(const std::vector<std::int64_t>& sizes, std::uint64_t stream) {
  return random_tensor(sizes, stream).requires_grad_();
}

/// Largest absolute difference of two tensors of one shape.
inline double distance(const at::Tensor& left, const at::Tensor& right) {
  EXPECT_EQ(left.sizes(), right.sizes());
  if (left.sizes() != right.sizes() || left.numel() == 0) return 0.0;
  return (left.detach().to(at::kDouble) - right.detach().to(at::kDouble)).abs().max().item<double>();
}

/// |actual - expected| / |expected|, by L2 norms; 0 for two zero tensors.
inline double relative_distance(const at::Tensor& actual, const at::Tensor& expected) {
  EXPECT_EQ(actual.sizes(), expected.sizes());
  if (actual.sizes() != expected.sizes() || actual.numel() == 0 || at::equal(actual, expected)) return 0.0;
  return ((actual - expected).norm() / expected.norm()).item<double>();
}

/// The text of the error of that kind which the call throws, or nothing.
template <class Kind, class Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const Kind& error) {
    return error.what();
  }
  return {};
}

/// Gradients of sum(f(inputs) * fixed random weights) with respect to each input.
using Differentiable = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

inline std::vector<at::Tensor> gradients_of(const Differentiable& f, const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.detach().clone().requires_grad_());
  const at::Tensor output = f(leaves);
  torch::autograd::backward({(output * random_tensor(output.sizes().vec(), 99)).sum()});
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& leaf : leaves) gradients.push_back(leaf.grad());
  return gradients;
}

/// Holds autograd's gradients of `f` at `inputs`, doubles of size about 1, against central differences.
///
/// The step is 1e-5, so the difference is off by step^2 / 6 |f'''|, 2e-9 for third derivatives up to 100, and by
/// rounding of eps |f| / step, 2e-10 for sums up to 20.
inline void expect_central_differences(const Differentiable& f, const std::vector<at::Tensor>& inputs,
                                       double tolerance = 3e-9) {
  const std::vector<at::Tensor> gradients = gradients_of(f, inputs);
  const at::NoGradGuard no_gradient;
  for (std::size_t n = 0; n < inputs.size(); ++n) {
    for (std::int64_t i = 0; i < inputs[n].numel(); ++i) {
      const auto moved = [&](double step) {
        std::vector<at::Tensor> points = inputs;
        points[n] = inputs[n].detach().clone();
        points[n].mutable_data_ptr<double>()[i] += step;
        const at::Tensor output = f(points);
        return (output * random_tensor(output.sizes().vec(), 99)).sum().item<double>();
      };
      const double difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
      EXPECT_NEAR(gradients[n].contiguous().const_data_ptr<double>()[i], difference, tolerance)
          << "input " << n << ", element " << i;
    }
  }
}

}  // namespace coterie::test
