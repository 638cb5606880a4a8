// The blocked attention against separate ATen operations, and each instruction set's loops against the same.
#include <ATen/Parallel.h>

#include <limits>

#include "kernels/attention.h"
#include "kernels/simd/functions.h"
#include "tests/harness/tensors.h"
#include "tests/kernels/plain.h"

namespace coterie::kernels {
namespace {

using test::Packing;

struct Case {
  std::int64_t heads;
  std::int64_t width;  // of one head
  std::vector<std::int64_t> lengths;
};

// Widths and lengths on both sides of vectors, panels and blocks of queries; the last on both sides of 256, above which
// blocks are smaller.
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {1, 1, {1, 2}},          {3, 5, {7, 0, 1, 33}},   {2, 32, {64, 65, 31, 16, 17}},
      {2, 64, {130, 1, 8, 9}}, {1, 24, {63, 100, 128}}, {2, 32, {257, 300, 256, 200}}};
  return all;
}

std::vector<at::Tensor> inputs_of(const Case& c, const Packing& packing, at::ScalarType dtype) {
  std::vector<at::Tensor> out;
  for (const std::uint64_t stream : {1, 2, 3})
    out.push_back((test::random_tensor({packing.tokens(), c.heads * c.width}, stream) * 3).to(dtype));
  return out;
}

at::Tensor plain(const std::vector<at::Tensor>& in, const Case& c, const Packing& packing, double rate) {
  return test::plain_attention(in[0], in[1], in[2], c.heads, packing, {rate, {77}});
}

at::Tensor blocked(const std::vector<at::Tensor>& in, const Case& c, const Packing& packing, double rate) {
  return attention(at::cat({in[0], in[1], in[2]}, 1), c.heads, packing.offsets, packing.index, {rate, {77}});
}

class BlockedAttention : public testing::TestWithParam<double> {
 protected:
  const double rate_ = GetParam();
};

INSTANTIATE_TEST_SUITE_P(Rates, BlockedAttention, testing::Values(0.0, 0.1, 0.6));

TEST_P(BlockedAttention, equals_separate_operations_in_double) {
  for (const Case& c : cases()) {
    const Packing packing(c.lengths);
    const auto in = inputs_of(c, packing, at::kDouble);

    // Sums of at most 300 terms in another order: 300 * 2^-53 < 4e-14 relative to the norm; exp adds some ulp.
    EXPECT_LT(test::relative_distance(blocked(in, c, packing, rate_), plain(in, c, packing, rate_)), 1e-12);
    const auto actual = test::gradients_of([&](const auto& x) { return blocked(x, c, packing, rate_); }, in);
    const auto expected = test::gradients_of([&](const auto& x) { return plain(x, c, packing, rate_); }, in);
    for (std::size_t n = 0; n < 3; ++n) {
      // With one key the gradients of query and key are zero, up to rounding.
      const double size = expected[2].norm().item<double>();
      EXPECT_LT((actual[n] - expected[n]).norm().item<double>(), 1e-12 * size) << n;
    }
  }
}

TEST_P(BlockedAttention, in_float_is_as_exact_as_float_is) {
  for (const Case& c : cases()) {
    const Packing packing(c.lengths);
    const auto in = inputs_of(c, packing, at::kFloat);
    std::vector<at::Tensor> exact;
    for (const at::Tensor& rows : in) exact.push_back(rows.to(at::kDouble));

    const auto actual = test::gradients_of([&](const auto& x) { return blocked(x, c, packing, rate_); }, in);
    const auto expected = test::gradients_of([&](const auto& x) { return plain(x, c, packing, rate_); }, exact);

    // A score of 64 terms (at most 64 * 2.25 / 8 = 18) is off by some 18 * 8 * 2^-24 = 9e-6, which moves a probability
    // by as much relative to itself; typical errors of random signs are a tenth of it.
    const at::Tensor out = blocked(in, c, packing, rate_).to(at::kDouble);
    EXPECT_LT(test::relative_distance(out, plain(exact, c, packing, rate_)), 9e-6);
    const double size = expected[2].norm().item<double>();
    for (std::size_t n = 0; n < 3; ++n)
      EXPECT_LT((actual[n].to(at::kDouble) - expected[n]).norm().item<double>(), 2e-5 * size) << n;
  }
}

TEST_P(BlockedAttention, reads_columns_of_a_wider_tensor_in_place) {
  const Case c{2, 16, {5, 40}};
  const Packing packing(c.lengths);
  const at::Tensor wide = test::random_tensor({packing.tokens(), 3 * 32}, 4);
  const auto views = wide.split(32, 1);
  const auto together = [&](const auto& x) { return blocked(x[0].split(32, 1), c, packing, rate_); };
  const std::vector<at::Tensor> apart = {views[0].contiguous(), views[1].contiguous(), views[2].contiguous()};

  EXPECT_TRUE(at::equal(together(std::vector<at::Tensor>{wide}), blocked(apart, c, packing, rate_)));
  const auto expected = test::gradients_of([&](const auto& x) { return blocked(x, c, packing, rate_); }, apart);
  EXPECT_TRUE(at::equal(test::gradients_of(together, {wide})[0], at::cat(expected, 1)));
}

TEST_P(BlockedAttention, does_not_depend_on_the_number_of_threads) {
  const Case c{3, 8, {40, 3, 17, 90}};
  const Packing packing(c.lengths);
  const auto in = inputs_of(c, packing, at::kFloat);
  const auto gradients = [&] {
    return test::gradients_of([&](const auto& x) { return blocked(x, c, packing, rate_); }, in);
  };
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = gradients();

  at::set_num_threads(3);
  const auto three = gradients();
  at::set_num_threads(before);

  for (std::size_t n = 0; n < 3; ++n) EXPECT_TRUE(at::equal(one[n], three[n])) << n;
}

TEST(BlockedAttentionValues, of_huge_scores_stay_finite_and_not_a_number_is_not_hidden) {
  const Case c{1, 4, {20}};
  const Packing packing(c.lengths);
  auto in = inputs_of(c, packing, at::kFloat);

  // Scores up to 1e6: the exponential of any but the largest of a row is 0.
  const at::Tensor sharp = blocked({in[0] * 1e3, in[1] * 1e3, in[2]}, c, packing, 0.0);
  in[1][3][0] = std::numeric_limits<float>::quiet_NaN();

  EXPECT_TRUE(sharp.isfinite().all().item<bool>());
  EXPECT_TRUE(blocked(in, c, packing, 0.0).isnan().all().item<bool>());
}

// Sequences of one batch share scratch memory sized for the longest.
TEST(AttentionScratch, of_a_longer_sequence_is_never_smaller) {
  for (const simd::FunctionSet* set : {&simd::kBase, &simd::kAvx2, &simd::kAvx512})
    for (const std::int64_t width : {20, 32, 64})
      for (std::int64_t length = 1; length < 1100; ++length) {
        ASSERT_LE(set->single.attention.scratch_size(length, width),
                  set->single.attention.scratch_size(length + 1, width))
            << length;
        ASSERT_LE(set->twice.attention.scratch_size(length, width),
                  set->twice.attention.scratch_size(length + 1, width))
            << length;
        ASSERT_LE(simd::kBf16Attention.scratch_size(length, width),
                  simd::kBf16Attention.scratch_size(length + 1, width));
      }
}

class LoopsOfAllInstructionSets : public testing::TestWithParam<const simd::FunctionSet*> {};

INSTANTIATE_TEST_SUITE_P(Sets, LoopsOfAllInstructionSets, testing::Values(&simd::kBase, &simd::kAvx2, &simd::kAvx512),
                         [](const auto& set) { return std::string(set.param->name); });

TEST_P(LoopsOfAllInstructionSets, attend_alike) {
  if (!simd::runs(*GetParam())) GTEST_SKIP() << "this processor has no " << GetParam()->name;
  const simd::Functions<double>& loops = GetParam()->twice;
  for (const std::int64_t length : {1, 5, 16, 70, 270}) {
    const Case c{1, 20, {length}};
    const Packing packing(c.lengths);
    const auto in = inputs_of(c, packing, at::kDouble);
    const auto expected = test::gradients_of([&](const auto& x) { return plain(x, c, packing, 0.1); }, in);
    const at::Tensor weights = test::random_tensor({length, 20}, 99);
    at::Tensor out = at::empty_like(in[0]);
    at::Tensor log_sum = at::empty({length}, at::kDouble);
    std::vector<at::Tensor> gradients = {at::empty_like(out), at::empty_like(out), at::empty_like(out)};
    std::vector<double> scratch(static_cast<std::size_t>(loops.attention.scratch_size(length, 20)));
    const auto rows = [](const at::Tensor& t) { return simd::Rows<const double>{t.const_data_ptr<double>(), 20}; };
    const auto writable = [](at::Tensor& t) { return simd::Rows<double>{t.mutable_data_ptr<double>(), 20}; };
    const simd::Head<double> head = {rows(in[0]), rows(in[1]), rows(in[2]), length,
                                     20,          100,         /*head=*/0,  drop_of(0.1, {77})};

    loops.attention.forward(head, {writable(out), log_sum.mutable_data_ptr<double>()}, scratch.data());
    loops.attention.backward(head,
                             {rows(out), rows(weights), log_sum.const_data_ptr<double>(), writable(gradients[0]),
                              writable(gradients[1]), writable(gradients[2])},
                             scratch.data());

    EXPECT_LT(test::relative_distance(out, plain(in, c, packing, 0.1)), 1e-12);
    const double size = expected[2].norm().item<double>();
    for (std::size_t n = 0; n < 3; ++n)
      EXPECT_LT((gradients[n] - expected[n]).norm().item<double>(), 1e-12 * size) << length << ", " << n;
  }
}

TEST_P(LoopsOfAllInstructionSets, drop_the_same_elements) {
  if (!simd::runs(*GetParam())) GTEST_SKIP() << "this processor has no " << GetParam()->name;
  const std::int64_t width = 301;
  const std::vector<std::int64_t> sequence = {3, 900};
  const std::vector<std::int64_t> token = {0, 511};
  const simd::Drop drop = drop_of(0.3, {0x123456789ABCDEF0});
  const std::vector<float> in(static_cast<std::size_t>(2 * width), 1.0F);
  std::vector<float> out(in.size());

  GetParam()->single.drop_rows(in.data(), out.data(), 2, width, {sequence.data(), token.data()}, drop);

  for (std::size_t r = 0; r < 2; ++r)
    for (std::uint32_t i = 0; i < width; ++i) {
      const auto words =
          philox({drop.key}, {static_cast<std::uint32_t>(sequence[r]), static_cast<std::uint32_t>(token[r]), i / 4, 0});
      const float expected = words[i % 4] < drop.limit ? 0.0F : static_cast<float>(drop.kept);
      EXPECT_EQ(out[r * static_cast<std::size_t>(width) + i], expected) << r << ", " << i;
    }
}

}  // namespace
}  // namespace coterie::kernels
