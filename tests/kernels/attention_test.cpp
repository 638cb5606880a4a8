// Attention on packed sequences against softmax(Q K^T / sqrt(d)) V, head by head.
#include "kernels/attention.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "kernels/dropout.h"
#include "tests/harness/tensors.h"

namespace coterie::kernels {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kHeads = 3;
constexpr std::int64_t kWidth = 12;

/// Offsets and global indices of the sequences of one batch.
struct Packing {
  std::vector<std::int64_t> offsets;
  std::vector<std::int64_t> index;
  [[nodiscard]] std::int64_t tokens() const { return offsets.back(); }
};

Packing pack(const std::vector<std::int64_t>& lengths) {
  Packing packing{{0}, {}};
  for (const std::int64_t length : lengths) {
    packing.offsets.push_back(packing.offsets.back() + length);
    packing.index.push_back(100 - 7 * static_cast<std::int64_t>(packing.index.size()));
  }
  return packing;
}

at::Tensor packed(const std::vector<at::Tensor>& in, const Packing& packing, const AttentionDropout& dropout) {
  return attention(at::cat({in[0], in[1], in[2]}, 1), kHeads, packing.offsets, packing.index, dropout);
}

at::Tensor plain(const std::vector<at::Tensor>& in, const Packing& packing, const AttentionDropout& dropout) {
  const std::int64_t width = kWidth / kHeads;
  std::vector<at::Tensor> sequences;
  for (std::size_t b = 0; b < packing.index.size(); ++b) {
    const std::int64_t first = packing.offsets[b];
    const std::int64_t length = packing.offsets[b + 1] - first;
    const at::Tensor factors_HNN =
        attention_dropout_factors(kHeads, length, dropout.rate, dropout.key, packing.index[b], at::kDouble);
    std::vector<at::Tensor> heads;
    for (std::int64_t h = 0; h < kHeads; ++h) {
      const auto part = [&](const at::Tensor& rows) {
        return rows.narrow(0, first, length).narrow(1, h * width, width);
      };
      const at::Tensor scores_NN = part(in[0]).mm(part(in[1]).t()) / std::sqrt(static_cast<double>(width));
      const at::Tensor weights_NN = scores_NN.exp() / scores_NN.exp().sum(1, true);
      heads.push_back((weights_NN * factors_HNN[h]).mm(part(in[2])));
    }
    sequences.push_back(at::cat(heads, 1));
  }
  return at::cat(sequences);
}

/// Query, key and value.
std::vector<at::Tensor> random_inputs(std::int64_t tokens) {
  return {test::random_tensor({tokens, kWidth}, 1) * 4, test::random_tensor({tokens, kWidth}, 2) * 4,
          test::random_tensor({tokens, kWidth}, 3)};
}

class Attention : public testing::TestWithParam<AttentionDropout> {};

INSTANTIATE_TEST_SUITE_P(Rates, Attention, testing::Values(AttentionDropout{}, AttentionDropout{0.3, {77}}),
                         [](const auto& dropout) { return dropout.param.rate == 0.0 ? "plain" : "with_dropout"; });

TEST_P(Attention, equals_the_formula_for_each_sequence_and_head) {
  for (const std::vector<std::int64_t>& lengths :
       {std::vector<std::int64_t>{1}, {5}, {1, 1, 1}, {3, 1, 17, 40, 2}, {4, 0, 6, 0}}) {
    const Packing packing = pack(lengths);
    const auto in = random_inputs(packing.tokens());

    // Averages of at most 40 values below 1 / (2 * 0.7), after a product of 4 terms in an exponential: some
    // (40 + 4 * 4) * 2^-53 each.
    EXPECT_LT(test::distance(packed(in, packing, GetParam()), plain(in, packing, GetParam())), 2e-14);
  }
}

TEST_P(Attention, has_the_gradients_of_the_formula) {
  const Packing packing = pack({3, 1, 17, 2, 9});
  const auto in = random_inputs(packing.tokens());

  const auto actual = test::gradients_of([&](const auto& x) { return packed(x, packing, GetParam()); }, in);
  const auto expected = test::gradients_of([&](const auto& x) { return plain(x, packing, GetParam()); }, in);

  for (std::size_t n = 0; n < 3; ++n) EXPECT_LT(test::relative_distance(actual[n], expected[n]), 1e-13) << n;
}

TEST_P(Attention, has_the_gradients_of_central_differences) {
  const Packing packing = pack({2, 1, 3});
  const auto in = random_inputs(packing.tokens());

  test::expect_central_differences([&](const auto& x) { return packed(x, packing, GetParam()); }, in);
}

TEST_P(Attention, of_a_sequence_does_not_depend_on_its_batch_mates) {
  const Packing packing = pack({3, 6, 11});
  const auto in = random_inputs(packing.tokens());
  std::vector<at::Tensor> alone;
  for (const at::Tensor& rows : in) alone.push_back(rows.slice(0, 3, 9));

  const at::Tensor among = packed(in, packing, GetParam());
  const at::Tensor single = packed(alone, {{0, 6}, {packing.index[1]}}, GetParam());

  EXPECT_TRUE(at::equal(among.slice(0, 3, 9), single));
}

TEST_P(Attention, in_float_is_close_to_the_formula) {
  const Packing packing = pack({3, 1, 40});
  const auto in = random_inputs(packing.tokens());
  std::vector<at::Tensor> single;
  for (const at::Tensor& rows : in) single.push_back(rows.to(at::kFloat));

  const at::Tensor out = packed(single, packing, GetParam());

  // Rounded inputs move a score (up to 4 * 2 * 2 / 2) by some 8 * 2^-24, an average of values below 0.72 by as much
  // again, its 40 terms add 40 * 2^-24.
  EXPECT_EQ(out.scalar_type(), at::kFloat);
  EXPECT_LT(test::distance(out, plain(in, packing, GetParam())), 4e-6);
}

TEST_P(Attention, of_an_empty_batch_stays_in_the_graph_of_all_three) {
  for (const std::vector<std::int64_t>& lengths : {std::vector<std::int64_t>{}, {0, 0}}) {
    const auto gradients =
        test::gradients_of([&](const auto& x) { return packed(x, pack(lengths), GetParam()); }, random_inputs(0));

    for (const at::Tensor& gradient : gradients) EXPECT_EQ(gradient.sizes(), (std::vector<std::int64_t>{0, kWidth}));
  }
}

TEST(AttentionShapes, are_checked) {
  const auto in = random_inputs(5);
  const auto error = [&](const Packing& packing) {
    return test::error_of<ShapeError>([&] { static_cast<void>(packed(in, packing, {})); });
  };

  EXPECT_THAT(error({{0, 2, 4}, {0, 1}}), HasSubstr("attention: offsets end at 4, there are 5 tokens"));
  EXPECT_THAT(error({{}, {}}), HasSubstr("attention: offsets end at -1, there are 5 tokens"));
  EXPECT_THAT(error({{0, 2, 5}, {0}}), HasSubstr("attention: 1 indices for 2 sequences"));
}

}  // namespace
}  // namespace coterie::kernels
