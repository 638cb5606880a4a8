// Attention on AMX tiles beside that on vectors: every way in which keys, queries and columns can fill tiles.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "kernels/dropout.h"
#include "kernels/simd/functions.h"
#include "tests/harness/tensors.h"

namespace coterie::kernels {
namespace {

using simd::BFloat;

/// What a head gives, all of it [length, width] but the logarithms.
struct Passes {
  at::Tensor out, log_sum;
  std::array<at::Tensor, 3> gradients;  ///< of queries, keys and values
};

simd::Rows<const BFloat> rows_of(const at::Tensor& tensor) {
  return {static_cast<const BFloat*>(tensor.const_data_ptr()), tensor.size(1)};
}
simd::Rows<BFloat> writable_rows_of(const at::Tensor& tensor) {
  return {static_cast<BFloat*>(tensor.mutable_data_ptr()), tensor.size(1)};
}

/// Both passes for queries, keys, values and the gradient of the output.
Passes attend(const simd::AttentionFunctions<BFloat>& attention, const std::vector<at::Tensor>& in, double rate) {
  const std::int64_t length = in[0].size(0);
  const std::int64_t width = in[0].size(1);
  Passes passes{at::empty_like(in[0]), at::empty({length}, at::kFloat), {}};
  for (at::Tensor& gradient : passes.gradients) gradient = at::empty_like(in[0]);
  // Numbers that would be seen if scratch memory were read before it is written.
  std::vector<float> scratch(static_cast<std::size_t>(attention.scratch_size(length, width)), 1e30F);
  const simd::Head<BFloat> head = {rows_of(in[0]), rows_of(in[1]),     rows_of(in[2]), length, width, /*sequence=*/100,
                                   /*head=*/3,     drop_of(rate, {77})};
  attention.forward(head, {writable_rows_of(passes.out), passes.log_sum.mutable_data_ptr<float>()}, scratch.data());
  attention.backward(head,
                     {rows_of(passes.out), rows_of(in[3]), passes.log_sum.const_data_ptr<float>(),
                      writable_rows_of(passes.gradients[0]), writable_rows_of(passes.gradients[1]),
                      writable_rows_of(passes.gradients[2])},
                     scratch.data());
  return passes;
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return test::relative_distance(a.to(at::kDouble), b.to(at::kDouble));
}

// The sums' order differs, so that a number in bf16, a result or a probability, now and then is rounded to a neighbour.
TEST(AttentionOnTiles, is_that_on_vectors) {
  if (!simd::runs(simd::amx_bf16())) GTEST_SKIP() << "processor or system has no AMX";
  constexpr double kRounding = 1.0 / 256;
  std::vector<std::int64_t> lengths;
  for (std::int64_t length = 1; length <= 80; ++length) lengths.push_back(length);
  for (std::int64_t length = 250; length <= 330; ++length) lengths.push_back(length);  // 257: blocks are halved
  for (const std::int64_t width : {20, 32, 64, 96, 128})
    for (const std::int64_t length : lengths)
      for (const double rate : {0.0, 0.1}) {
        SCOPED_TRACE(testing::Message() << length << " tokens of " << width << ", dropout " << rate);
        std::vector<at::Tensor> in;
        for (const std::uint64_t stream : {1, 2, 3, 4})
          in.push_back(test::random_tensor({length, width}, stream).to(at::kBFloat16));

        const Passes tiles = attend(simd::kAmxAttention, in, rate);
        const Passes vectors = attend(simd::kBf16Attention, in, rate);

        ASSERT_LT(distance(tiles.out, vectors.out), kRounding);
        ASSERT_LT(distance(tiles.log_sum, vectors.log_sum), 1e-5);
        // One key has all the probability, so that scores have no gradient.
        if (length == 1) continue;
        for (std::size_t n = 0; n < 3; ++n)
          ASSERT_LT(distance(tiles.gradients[n], vectors.gradients[n]), kRounding) << n;
      }
}

}  // namespace
}  // namespace coterie::kernels
