// Backward that runs forward again, against plain autograd.
#include "kernels/recompute.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/harness/tensors.h"

namespace coterie::kernels {
namespace {

class Recompute : public testing::Test {
 protected:
  // Two results that share what is between; the third never needs a gradient.
  [[nodiscard]] std::vector<at::Tensor> segment(const at::Tensor& x) {
    ++runs_;
    const at::Tensor hidden = (x.matmul(weight_)).tanh();
    return {hidden * x, hidden.sum(1), x.detach() + 1};
  }
  [[nodiscard]] std::vector<at::Tensor> again(const at::Tensor& x) {
    return recomputed([this](const at::Tensor& input) { return segment(input); }, x);
  }
  [[nodiscard]] std::vector<at::Tensor> gradients() {
    std::vector<at::Tensor> taken = {input_.grad().clone(), weight_.grad().clone()};
    input_.mutable_grad().reset();
    weight_.mutable_grad().reset();
    return taken;
  }

  at::Tensor input_ = test::random_leaf({5, 3}, 1);
  at::Tensor weight_ = test::random_leaf({3, 3}, 2);
  int runs_ = 0;
};

TEST_F(Recompute, gives_results_and_gradients_of_plain_autograd) {
  for (const bool both : {true, false}) {
    SCOPED_TRACE(both ? "a gradient for each result" : "a gradient for the first alone");
    const auto loss = [&](const std::vector<at::Tensor>& results) {
      const at::Tensor first = results[0].square().sum() + results[2].sum();
      return both ? first + results[1].exp().sum() : first;
    };
    const std::vector<at::Tensor> plain = segment(input_ * 2);
    torch::autograd::backward({loss(plain)});
    const std::vector<at::Tensor> expected = gradients();

    const std::vector<at::Tensor> results = again(input_ * 2);
    torch::autograd::backward({loss(results)});
    const std::vector<at::Tensor> got = gradients();

    for (std::size_t i = 0; i < results.size(); ++i) EXPECT_TRUE(at::equal(results[i], plain[i])) << "result " << i;
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(at::equal(got[i], expected[i])) << "gradient " << i;
  }
}

TEST_F(Recompute, runs_once_more_in_backward_and_never_without_a_graph) {
  const at::Tensor loss = again(input_)[0].sum();
  EXPECT_EQ(runs_, 1);
  torch::autograd::backward({loss});
  EXPECT_EQ(runs_, 2);

  const at::NoGradGuard no_graph;
  EXPECT_FALSE(again(input_)[0].requires_grad());
  EXPECT_EQ(runs_, 3);
}

// Two segments in a row: the second's backward ends before the first's begins.
TEST_F(Recompute, segments_follow_one_another) {
  torch::autograd::backward({segment(segment(input_)[0])[0].sum()});
  const std::vector<at::Tensor> expected = gradients();

  torch::autograd::backward({again(again(input_)[0])[0].sum()});

  const std::vector<at::Tensor> got = gradients();
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(at::equal(got[i], expected[i])) << "gradient " << i;
}

}  // namespace
}  // namespace coterie::kernels
