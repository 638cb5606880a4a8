// The tensor-core kernels of attention, run by emulated warps and held against the CPU's attention.
#include "kernels/gpu/half_attention.cuh"

#include <gtest/gtest.h>

#include "kernels/attention.h"
#include "kernels/dropout.h"
#include "kernels/stored.h"
#include "tests/harness/tensors.h"
#include "tests/kernels/plain.h"

namespace coterie::kernels::gpu {
namespace {

using test::Packing;

/// Output and the gradient of the projections, from the GPU's kernels.
template <int kWidth>
std::vector<at::Tensor> by_emulated_warps(const at::Tensor& projections_T3D, const at::Tensor& gradient_TD,
                                          const Packing& packing, double rate) {
  const std::int64_t tokens = projections_T3D.size(0);
  const std::int64_t columns = projections_T3D.size(1) / 3;
  const std::int64_t heads = columns / kWidth;
  const auto part = [&](const at::Tensor& rows, std::int64_t third) {
    return simd::Rows<const BFloat>{numbers<BFloat>(rows) + third * columns, rows.stride(0)};
  };
  const auto writable_part = [&](const at::Tensor& rows, std::int64_t third) {
    return simd::Rows<BFloat>{writable_numbers<BFloat>(rows) + third * columns, rows.stride(0)};
  };
  std::int64_t longest = 0;
  for (std::size_t b = 0; b + 1 < packing.offsets.size(); ++b)
    longest = std::max(longest, packing.offsets[b + 1] - packing.offsets[b]);
  const Attention<BFloat> batch{.query = part(projections_T3D, 0),
                                .key = part(projections_T3D, 1),
                                .value = part(projections_T3D, 2),
                                .offsets = packing.offsets.data(),
                                .sequence = packing.index.data(),
                                .sequences = static_cast<std::int64_t>(packing.index.size()),
                                .longest = longest,
                                .tokens = tokens,
                                .heads = heads,
                                .width = kWidth,
                                .drop = drop_of(rate, RandomKey{77})};
  // What nobody writes stays not a number.
  const at::Tensor out_TD = at::full({tokens, columns}, NAN, at::kBFloat16);
  const at::Tensor gradient_T3D = at::full({tokens, 3 * columns}, NAN, at::kBFloat16);
  const at::Tensor log_sum = at::full({heads, tokens}, NAN), delta = at::full({heads, tokens}, NAN);
  // Fewer blocks than sequences in the third direction: some take several.
  const Index grid{static_cast<unsigned>((longest + half::kBlockRows - 1) / half::kBlockRows),
                   static_cast<unsigned>(heads), 2};
  constexpr unsigned kThreads = half::kLanes * half::kWarps;
  run_emulated(grid, kThreads,
               [&] { half::attend_kernel<kWidth>(batch, writable_part(out_TD, 0), writable_numbers<float>(log_sum)); });
  const AttentionGradient<BFloat> gradient{.out = part(out_TD, 0),
                                           .out_gradient = part(gradient_TD, 0),
                                           .log_sum = numbers<float>(log_sum),
                                           .delta = writable_numbers<float>(delta),
                                           .query = writable_part(gradient_T3D, 0),
                                           .key = writable_part(gradient_T3D, 1),
                                           .value = writable_part(gradient_T3D, 2)};
  run_emulated(grid, kThreads, [&] { half::query_backward_kernel<kWidth>(batch, gradient); });
  run_emulated(grid, kThreads, [&] { half::key_backward_kernel<kWidth>(batch, gradient); });
  return {out_TD, gradient_T3D};
}

template <int kWidth>
void expect_the_cpus(std::int64_t heads, const std::vector<std::int64_t>& lengths, double rate) {
  const Packing packing(lengths);
  const std::int64_t columns = heads * kWidth;
  const at::Tensor projections_T3D = (test::random_tensor({packing.tokens(), 3 * columns}, 1) * 2).to(at::kBFloat16);
  const at::Tensor gradient_TD = test::random_tensor({packing.tokens(), columns}, 2).to(at::kBFloat16);

  const auto actual = by_emulated_warps<kWidth>(projections_T3D, gradient_TD, packing, rate);

  // The same numbers in double, bits of dropout included.
  const at::Tensor exact_T3D = projections_T3D.to(at::kDouble).requires_grad_();
  const at::Tensor out_TD = attention(exact_T3D, heads, packing.offsets, packing.index, {rate, {77}});
  torch::autograd::backward({out_TD}, {gradient_TD.to(at::kDouble)});
  // A result passes few roundings of 2^-9: its own, and those of shares that add up in quadrature.
  EXPECT_LT(test::relative_distance(actual[0].to(at::kDouble), out_TD.detach()), 4e-3);
  for (std::int64_t third = 0; third < 3; ++third)
    EXPECT_LT(test::relative_distance(actual[1].narrow(1, third * columns, columns).to(at::kDouble),
                                      exact_T3D.grad().narrow(1, third * columns, columns)),
              8e-3)
        << "gradient " << third << " at rate " << rate;
}

TEST(HalfAttention, of_heads_of_32_columns_is_the_cpus) { expect_the_cpus<32>(2, {7, 0, 1, 33, 64, 70}, 0.0); }

TEST(HalfAttention, of_heads_of_64_columns_is_the_cpus) { expect_the_cpus<64>(1, {130, 16}, 0.0); }

TEST(HalfAttention, drops_what_the_cpu_drops) {
  expect_the_cpus<32>(2, {7, 0, 1, 33, 64, 70}, 0.3);
  expect_the_cpus<64>(1, {130, 16}, 0.3);
}

}  // namespace
}  // namespace coterie::kernels::gpu
