// The kernels over columns, run by emulated warps and held against the CPU's kernels.
#include "kernels/gpu/column_kernels.cuh"

#include <gtest/gtest.h>

#include "kernels/activation.h"
#include "kernels/stored.h"
#include "tests/harness/tensors.h"

namespace coterie::kernels::gpu {
namespace {

at::Tensor random(const std::vector<std::int64_t>& sizes, std::uint64_t stream, at::ScalarType dtype) {
  return (test::random_tensor(sizes, stream) * 2).to(dtype);
}

Index grid_of(std::int64_t rows, std::int64_t width, std::int64_t part_rows) {
  const auto blocks = [](std::int64_t count, std::int64_t each) {
    return static_cast<unsigned>((count + each - 1) / each);
  };
  return {blocks(width, kBlockColumns), blocks(rows, part_rows), 1};
}

// Rows and columns that fill no block, no warp and no group of four.
constexpr std::int64_t kRows = 53, kWidth = 301, kPartRows = 20;

template <class Stored>
void expect_the_cpus_gelu(at::ScalarType dtype, double bound) {
  for (const std::int64_t width : {kWidth, std::int64_t{256}}) {
    const at::Tensor values_RF = random({kRows, width}, 1, dtype), gradient_RF = random({kRows, width}, 2, dtype);
    const at::Tensor bias_F = random({width}, 3, at::kFloat);
    const auto unwritten = [&] { return at::full({kRows, width}, NAN, dtype); };
    const at::Tensor out_RF = unwritten(), again_RF = unwritten(), change_RF = unwritten();
    const Index grid = grid_of(kRows, width, kPartRows);
    const at::Tensor sums_PF = at::full({grid.y, width}, NAN, at::kFloat);
    const GeluRows<Stored> all{numbers<Stored>(values_RF), numbers<float>(bias_F), kRows, width};

    run_emulated(grid, kColumnThreads, [&] { gelu_kernel(all, writable_numbers<Stored>(out_RF), kPartRows); });
    run_emulated(grid, kColumnThreads, [&] {
      gelu_backward_kernel(
          all, {numbers<Stored>(gradient_RF), writable_numbers<Stored>(change_RF), writable_numbers<Stored>(again_RF)},
          kPartRows, writable_numbers<float>(sums_PF));
    });

    const ActivationGradient expected = activate_backward(gradient_RF, values_RF, bias_F, Activation::gelu);
    EXPECT_TRUE(at::equal(out_RF, again_RF));
    EXPECT_LT(test::relative_distance(out_RF, expected.out_RF), bound);
    EXPECT_LT(test::relative_distance(change_RF, expected.values_RF), bound);
    EXPECT_LT(test::relative_distance(sums_PF.sum(0), expected.bias_F), 1e-6);
  }
}

TEST(ColumnKernels, have_the_cpus_gelu_and_its_gradient) {
  expect_the_cpus_gelu<float>(at::kFloat, 1e-6);
  // Numbers that lie between two of bf16 may be rounded to either.
  expect_the_cpus_gelu<BFloat>(at::kBFloat16, 1e-3);
}

TEST(ColumnKernels, add_up_the_gradients_of_a_norm) {
  const at::Tensor gradient_TD = random({kRows, kWidth}, 1, at::kDouble),
                   normal_TD = random({kRows, kWidth}, 2, at::kDouble);
  const Index grid = grid_of(kRows, kWidth, kPartRows);
  const at::Tensor sums_P2D = at::full({grid.y, 2, kWidth}, NAN, at::kDouble);
  const simd::NormGradientRows<double> all{.gradient = numbers<double>(gradient_TD),
                                           .normal = numbers<double>(normal_TD),
                                           .rows = kRows,
                                           .width = kWidth,
                                           .places = {},
                                           .drop = {},
                                           .weight_gradient = writable_numbers<double>(sums_P2D)};

  run_emulated(grid, kColumnThreads, [&] { norm_column_kernel(all, kPartRows); });

  const at::Tensor sums_2D = sums_P2D.sum(0);
  EXPECT_LT(test::relative_distance(sums_2D[0], (gradient_TD * normal_TD).sum(0)), 1e-14);
  EXPECT_LT(test::relative_distance(sums_2D[1], gradient_TD.sum(0)), 1e-14);
}

}  // namespace
}  // namespace coterie::kernels::gpu
