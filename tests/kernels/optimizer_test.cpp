// AdamW against the textbook, number by number in double.
#include "kernels/optimizer.h"

#include <cmath>
#include <map>

#include "tests/harness/tensors.h"

namespace coterie::kernels {
namespace {

// A large epsilon: with a small one AdamW does not see a factor on all gradients, hence not the divisor.
constexpr AdamWOptions kOptions{.beta1 = 0.8, .beta2 = 0.95, .epsilon = 0.1, .weight_decay = 0.1};
constexpr LearningRates kRates{.encoder = 0.01, .temperature = 0.3, .head = 0.07, .gate = 0.2};
constexpr int kSteps = 5;

const std::vector<Declaration>& declarations() {
  static const std::vector<Declaration> kAll = {
      {"weight", test::random_tensor({7, 5}, 1), {}},
      {"bias", test::random_tensor({5}, 2), {.decay = Decay::no}},
      {"other", test::random_tensor({33}, 3), {}},
      {"expert", test::random_tensor({3, 3}, 4), {.sharing = Sharing::expert}},
      {"log_scale", test::random_tensor({1}, 5), {.decay = Decay::no, .rate = Rate::temperature}},
      {"head", test::random_tensor({4, 3}, 6), {.rate = Rate::head}},
      {"gate", test::random_tensor({2, 3}, 7), {.rate = Rate::gate}}};
  return kAll;
}

at::Tensor gradient_of(const Declaration& parameter, int step) {
  return test::random_tensor(parameter.value.sizes().vec(), 100 + static_cast<std::uint64_t>(step)) * 3;
}

void set_gradients(const ParameterStore& store, int step) {
  const at::NoGradGuard no_gradient;
  for (const Declaration& parameter : declarations()) {
    at::Tensor gradient = store.at(parameter.name).grad();
    gradient.copy_(gradient_of(parameter, step));
  }
}

/// The parameters after `kSteps` steps by Loshchilov and Hutter's algorithm 2, the schedule's factor within the rate.
std::map<std::string, at::Tensor> textbook(double divisor) {
  std::map<std::string, at::Tensor> result;
  for (const Declaration& parameter : declarations()) {
    const double rate = parameter.kind.rate == Rate::temperature ? kRates.temperature
                        : parameter.kind.rate == Rate::head      ? kRates.head
                        : parameter.kind.rate == Rate::gate      ? kRates.gate
                                                                 : kRates.encoder;
    const double decay = parameter.kind.decay == Decay::yes ? kOptions.weight_decay : 0.0;
    at::Tensor values = parameter.value.clone();
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      double& x = values.mutable_data_ptr<double>()[i];
      double m = 0;
      double v = 0;
      for (int t = 1; t <= kSteps; ++t) {
        const double g = gradient_of(parameter, t).const_data_ptr<double>()[i] / divisor;
        m = kOptions.beta1 * m + (1 - kOptions.beta1) * g;
        v = kOptions.beta2 * v + (1 - kOptions.beta2) * g * g;
        const double m_hat = m / (1 - std::pow(kOptions.beta1, t));
        const double v_hat = v / (1 - std::pow(kOptions.beta2, t));
        x -= rate * (m_hat / (std::sqrt(v_hat) + kOptions.epsilon) + decay * x);
      }
    }
    result[parameter.name] = values;
  }
  return result;
}

ParameterStore stepped(at::ScalarType master, double divisor) {
  ParameterStore store(declarations(), master);
  AdamW optimizer(kOptions, store);
  for (int t = 1; t <= kSteps; ++t) {
    set_gradients(store, t);
    optimizer.step(store, kRates, divisor);
  }
  return store;
}

TEST(AdamW, follows_the_textbook_in_double) {
  for (const double divisor : {1.0, 1.7}) {
    const ParameterStore store = stepped(at::kDouble, divisor);

    // Five updates of size `rate` up to 0.3, each some 20 roundings: 5 * 0.3 * 20 * 2^-53 = 3e-15.
    for (const auto& [name, expected] : textbook(divisor))
      EXPECT_LT(test::distance(store.at(name), expected), 1e-14) << name << ", divisor " << divisor;
  }
}

TEST(AdamW, follows_the_textbook_in_float) {
  const ParameterStore store = stepped(at::kFloat, 1.7);

  // As above with 2^-24, and numbers up to 2 that are rounded at each of five steps: 5 * (0.3 * 20 + 2) * 2^-24.
  for (const auto& [name, expected] : textbook(1.7))
    EXPECT_LT(test::distance(store.at(name), expected), 2.4e-6) << name;
}

TEST(AdamW, decays_only_the_kinds_that_decay) {
  ParameterStore store(declarations(), at::kDouble);
  AdamW optimizer(kOptions, store);

  optimizer.step(store, kRates, 1.0);  // gradients are zero: only decay moves anything

  const double kept = 1 - kRates.encoder * kOptions.weight_decay;
  EXPECT_LT(test::distance(store.at("weight"), declarations()[0].value * kept), 1e-16);
  EXPECT_TRUE(at::equal(store.at("bias"), declarations()[1].value));
  EXPECT_LT(test::distance(store.at("expert"), declarations()[3].value * kept), 1e-16);
  EXPECT_TRUE(at::equal(store.at("log_scale"), declarations()[4].value));
}

TEST(AdamW, rates_move_their_own_group_only) {
  ParameterStore store(declarations(), at::kDouble);
  AdamW optimizer(kOptions, store);
  set_gradients(store, 1);

  optimizer.step(store, {.encoder = 0.0, .temperature = 0.5}, 1.0);

  EXPECT_TRUE(at::equal(store.at("weight"), declarations()[0].value));
  EXPECT_TRUE(at::equal(store.at("bias"), declarations()[1].value));
  // The first step is rate * g / (|g| + epsilon), a few roundings of numbers below one.
  const double g = gradient_of(declarations()[4], 1).item<double>();
  EXPECT_NEAR((declarations()[4].value - store.at("log_scale")).item<double>(),
              0.5 * g / (std::abs(g) + kOptions.epsilon), 1e-15);
  EXPECT_TRUE(at::equal(store.at("head"), declarations()[5].value));

  const at::Tensor log_scale = store.at("log_scale").detach().clone();
  optimizer.step(store, {.head = 0.5}, 1.0);

  EXPECT_TRUE(at::equal(store.at("weight"), declarations()[0].value));
  EXPECT_TRUE(at::equal(store.at("log_scale"), log_scale));
  EXPECT_FALSE(at::equal(store.at("head"), declarations()[5].value));
}

TEST(AdamW, goes_on_exactly_from_moments_and_count) {
  const ParameterStore whole = stepped(at::kFloat, 1.0);
  ParameterStore store(declarations(), at::kFloat);
  AdamW before(kOptions, store);
  for (int t = 1; t <= 2; ++t) {
    set_gradients(store, t);
    before.step(store, kRates, 1.0);
  }

  AdamW after(kOptions, store);
  for (std::size_t s = 0; s < store.segments().size(); ++s) {
    after.first_moments()[s].copy_(before.first_moments()[s]);
    after.second_moments()[s].copy_(before.second_moments()[s]);
  }
  after.set_steps(before.steps());
  for (int t = 3; t <= kSteps; ++t) {
    set_gradients(store, t);
    after.step(store, kRates, 1.0);
  }

  EXPECT_EQ(after.steps(), kSteps);
  for (const std::string& name : store.names()) EXPECT_TRUE(at::equal(store.at(name), whole.at(name))) << name;
}

TEST(AdamW, keeps_moments_in_the_master_dtype) {
  const ParameterStore store(declarations(), at::kDouble);
  const AdamW optimizer(kOptions, store);

  ASSERT_EQ(optimizer.first_moments().size(), store.segments().size());
  for (const at::Tensor& moment : optimizer.second_moments()) EXPECT_EQ(moment.scalar_type(), at::kDouble);
}

}  // namespace
}  // namespace coterie::kernels
