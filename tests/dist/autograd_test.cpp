// The gradient of the exchange, in double.
#include "dist/autograd.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "base/random.h"
#include "groups.h"

namespace coterie::dist {
namespace {

class ExchangeGradient : public OnEveryBackend {
 protected:
  /// Rank r sends (r + 2 j) mod 3 rows to rank j.
  [[nodiscard]] static std::int64_t count(int from, int to) { return (from + 2 * to) % 3; }

  ExchangeGradient() {
    for (int peer = 0; peer < size(); ++peer) {
      send_.push_back(count(rank(), peer));
      receive_.push_back(count(peer, rank()));
      rows_ += send_.back();
      received_ += receive_.back();
    }
  }

  [[nodiscard]] at::Tensor random(std::int64_t rows, std::uint64_t stream) const {
    at::Tensor values = at::empty({rows, 3}, at::kDouble);
    const RandomKey key = RandomKey{stream}.derive(static_cast<std::uint64_t>(rank()));
    for (std::int64_t i = 0; i < values.numel(); ++i)
      values.data_ptr<double>()[i] = random_unit(key, static_cast<std::uint64_t>(i)) - 0.5;
    return values;
  }

  Splits send_;
  Splits receive_;
  std::int64_t rows_ = 0;
  std::int64_t received_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Groups, ExchangeGradient, testing::ValuesIn(backends()), BackendName());

TEST_P(ExchangeGradient, there_and_back_is_the_identity_in_both_passes) {
  const at::Tensor rows = random(rows_, 1).requires_grad_();
  const at::Tensor weights = random(rows_, 2);

  const at::Tensor there = exchange(group(), rows, send_, receive_);
  const at::Tensor back = exchange(group(), there, receive_, send_);
  torch::autograd::backward({(back * weights).sum()});

  EXPECT_TRUE(at::equal(back, rows));
  EXPECT_TRUE(at::equal(rows.grad(), weights));
}

TEST_P(ExchangeGradient, equals_central_differences_of_the_loss_of_all_ranks) {
  // The loss is the sum over ranks of a cubic with weights that differ by rank; the other ranks' input stays fixed
  // while one rank after the other moves one element after the other.
  const at::Tensor weights = random(received_, 3);
  const auto share = [&](const at::Tensor& input) {
    const at::Tensor received = exchange(group(), input, send_, receive_);
    return (received * received * received * weights).sum();
  };
  at::Tensor rows = random(rows_, 4).requires_grad_();
  torch::autograd::backward({share(rows)});
  const at::NoGradGuard no_gradient;
  const auto loss = [&](const at::Tensor& input) {
    at::Tensor sum = share(input).reshape({1}).clone();
    group().all_reduce(sum);
    return sum.item<double>();
  };

  const std::int64_t most = group().all_reduce(rows_, Reduce::max) * 3;
  for (int mover = 0; mover < size(); ++mover) {
    for (std::int64_t i = 0; i < most; ++i) {
      const bool moves = mover == rank() && i < rows.numel();
      const double step = moves ? 1e-5 : 0.0;
      at::Tensor forward = rows.detach().clone();
      at::Tensor behind = forward.clone();
      if (moves) forward.data_ptr<double>()[i] += step;
      if (moves) behind.data_ptr<double>()[i] -= step;
      const double difference = (loss(forward) - loss(behind)) / 2e-5;
      // Truncation: step^2 / 6 * |third derivative| <= 1e-10 / 6 * 6 * 0.5; rounding: eps * |loss| / step < 1e-9.
      if (moves) {
        EXPECT_NEAR(rows.grad().data_ptr<double>()[i], difference, 2e-9) << mover << ", " << i;
      }
    }
  }
}

TEST_P(ExchangeGradient, works_with_zero_rows_on_every_rank) {
  const at::Tensor rows = at::empty({0, 3}, at::kDouble).requires_grad_();

  torch::autograd::backward({exchange(group(), rows, splits(0), splits(0)).sum()});

  EXPECT_EQ(rows.grad().sizes(), (std::vector<std::int64_t>{0, 3}));
}

TEST_P(ExchangeGradient, reaches_a_rank_whose_rows_all_went_elsewhere) {
  // All rows go to the last rank; the others receive nothing, yet get their gradient: its place in the concatenation.
  const int last = size() - 1;
  Splits send = splits(0);
  send.back() = 1;
  const at::Tensor rows = random(1, 5).requires_grad_();

  const at::Tensor received = exchange(group(), rows, send, splits(rank() == last ? 1 : 0));
  const at::Tensor place = at::arange(received.size(0), at::kDouble).unsqueeze(1);
  torch::autograd::backward({(received * place).sum()});

  EXPECT_TRUE(at::equal(rows.grad(), at::full({1, 3}, rank(), at::kDouble)));
}

}  // namespace
}  // namespace coterie::dist
