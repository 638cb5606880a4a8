// The kernels on a GPU against those on the CPU, in every dtype, with dropout and without.
#include "tests/harness/gpu.h"

#include <c10/cuda/CUDAFunctions.h>

#include <tuple>

#include "kernels/activation.h"
#include "kernels/attention.h"
#include "kernels/fused_norm.h"
#include "kernels/gpu/kernels.h"
#include "kernels/optimizer.h"
#include "kernels/permute.h"
#include "kernels/pooling.h"
#include "kernels/row_products.h"
#include "tests/harness/tensors.h"
#include "tests/kernels/plain.h"

namespace coterie::kernels {
namespace {

using test::Packing;
using Tensors = std::vector<at::Tensor>;

constexpr RandomKey kKey{31};

/// Rounding of an element in this dtype.
double unit(at::ScalarType dtype) {
  if (dtype == at::kDouble) return 1.2e-16;
  return dtype == at::kFloat ? 6e-8 : 4e-3;
}

/// Output and gradients of `f`, on the device of the inputs, in double on the CPU.
Tensors results_of(const test::Differentiable& f, const Tensors& inputs) {
  Tensors leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.detach().clone().requires_grad_());
  const at::Tensor output = f(leaves);
  torch::autograd::backward({output}, {test::random_tensor(output.sizes().vec(), 99).to(output)});
  Tensors results = {output.detach().cpu().to(at::kDouble)};
  for (const at::Tensor& leaf : leaves) results.push_back(leaf.grad().cpu().to(at::kDouble));
  return results;
}

Tensors on_gpu(const Tensors& tensors) {
  Tensors placed;
  for (const at::Tensor& tensor : tensors) placed.push_back(tensor.cuda());
  return placed;
}

at::Tensor random(const std::vector<std::int64_t>& sizes, std::uint64_t stream, at::ScalarType dtype) {
  return (test::random_tensor(sizes, stream) * 2).to(dtype);
}

class GpuKernels : public test::OnGpu {
 protected:
  /// |gpu - cpu| <= roundings * unit * |cpu| for output and gradients, by norms.
  static void expect_alike(const test::Differentiable& f, const Tensors& inputs, double roundings) {
    const double bound = roundings * unit(inputs[0].scalar_type());
    const Tensors expected = results_of(f, inputs);
    const Tensors actual = results_of(f, on_gpu(inputs));
    for (std::size_t n = 0; n < expected.size(); ++n)
      EXPECT_LE((actual[n] - expected[n]).norm().item<double>(), bound * (expected[n].norm().item<double>() + 1e-30))
          << (n == 0 ? "output" : "gradient of an input") << " " << n << " in " << inputs[0].scalar_type();
  }
  static TokenPlaces places_of(const Packing& packing) {
    TokenPlaces places = packing.places();
    places.put_on(at::kCUDA);
    return places;
  }
};

constexpr at::ScalarType kDtypes[] = {at::kDouble, at::kFloat, at::kBFloat16};

TEST_F(GpuKernels, dropout_has_the_cpus_bits) {
  const Packing packing({3, 0, 70});
  const TokenPlaces places = places_of(packing);
  for (const at::ScalarType dtype : kDtypes) {
    const at::Tensor tokens_TD = random({73, 301}, 1, dtype);

    const at::Tensor dropped_TD = dropout(tokens_TD.cuda(), 0.3, kKey, places);

    EXPECT_TRUE(at::equal(dropped_TD.cpu(), dropout(tokens_TD, 0.3, kKey, places)));
  }
}

TEST_F(GpuKernels, norm_equals_the_cpus) {
  const Packing packing({250, 350});
  const TokenPlaces places = places_of(packing);
  // Rows that begin where four numbers can be loaded at once, and rows that do not.
  for (const std::int64_t width : {384, 301})
    for (const at::ScalarType dtype : kDtypes)
      for (const double rate : {0.0, 0.1}) {
        const at::ScalarType master = dtype == at::kBFloat16 ? at::kFloat : dtype;
        // Ten roundings on the way of an element; in bf16 those of what is stored decide.
        expect_alike(
            [&](const auto& x) {
              return dropout_residual_norm(x[0], x[1], {x[2], x[3], 1e-5}, rate, kKey, places);
            },
            {random({600, width}, 1, dtype), random({600, width}, 2, dtype), random({width}, 3, master),
             random({width}, 4, master)},
            10);
      }
}

TEST_F(GpuKernels, bias_and_gelu_equal_the_cpus) {
  for (const std::int64_t width : {128, 130})
    for (const at::ScalarType dtype : kDtypes) {
      const at::ScalarType master = dtype == at::kBFloat16 ? at::kFloat : dtype;
      expect_alike([](const auto& x) { return bias_activate(x[0], x[1], Activation::gelu); },
                   {random({300, width}, 1, dtype) * 4, random({width}, 2, master)}, 10);
    }
}

TEST_F(GpuKernels, gradients_of_weights_are_not_rounded_to_bf16) {
  const at::Tensor gradient_RO = random({1000, 40}, 1, at::kBFloat16);
  const at::Tensor rows_RI = random({1000, 24}, 2, at::kBFloat16);
  const at::Tensor exact_OI = gradient_RO.to(at::kDouble).t().mm(rows_RI.to(at::kDouble));

  const at::Tensor sum_OI = weight_gradient(gradient_RO.cuda(), rows_RI.cuda(), at::kFloat);

  // 1000 terms in float, far from the 4e-3 of bf16.
  EXPECT_LT(test::relative_distance(sum_OI.cpu().to(at::kDouble), exact_OI), 1e-5);
  EXPECT_EQ(weight_gradient(gradient_RO.cuda().narrow(0, 0, 0), rows_RI.cuda().narrow(0, 0, 0), at::kFloat)
                .abs()
                .max()
                .item<float>(),
            0.0F);
}

std::vector<std::tuple<at::ScalarType, double, std::int64_t>> cases_of_attention() {
  std::vector<std::tuple<at::ScalarType, double, std::int64_t>> cases;
  for (const at::ScalarType dtype : kDtypes)
    for (const double rate : {0.0, 0.1})
      for (const std::int64_t heads : {2, 1}) cases.emplace_back(dtype, rate, heads);
  return cases;
}

TEST_F(GpuKernels, attention_equals_the_cpus) {
  const Packing packing({7, 0, 1, 33, 64, 257});
  // Heads of 32 and of 64 columns: one, and two, for each lane of a warp.
  for (const auto& [dtype, rate, heads] : cases_of_attention())
    // Scores of up to 64 terms, sums of up to 257: roundings as in the CPU's tests, 9e-6 / 6e-8.
    expect_alike(
        [&](const auto& x) {
          return attention(at::cat({x[0], x[1], x[2]}, 1), heads, packing.offsets, packing.index, {rate, {77}});
        },
        {random({362, 64}, 1, dtype), random({362, 64}, 2, dtype), random({362, 64}, 3, dtype)},
        dtype == at::kBFloat16 ? 8 : 300);
}

TEST_F(GpuKernels, own_attention_equals_flash_attention) {
  const Packing packing({7, 1, 33, 64, 257});
  const Tensors in = on_gpu(
      {random({362, 64}, 1, at::kBFloat16), random({362, 64}, 2, at::kBFloat16), random({362, 64}, 3, at::kBFloat16)});

  const Tensors flash = results_of(
      [&](const auto& x) {
        return gpu::attention(at::cat({x[0], x[1], x[2]}, 1), 2, packing.offsets, packing.index, {});
      },
      in);
  const Tensors own = results_of(
      [&](const auto& x) {
        return gpu::own_attention(at::cat({x[0], x[1], x[2]}, 1), 2, packing.offsets, packing.index, {});
      },
      in);

  for (std::size_t n = 0; n < own.size(); ++n) EXPECT_LT(test::relative_distance(own[n], flash[n]), 8 * 4e-3) << n;
}

TEST_F(GpuKernels, attention_repeats_bit_for_bit) {
  const Packing packing({100, 33});
  for (const auto& [dtype, rate, heads] : cases_of_attention()) {
    const auto attend = [&, rate = rate, heads = heads](const auto& x) {
      return attention(at::cat({x[0], x[1], x[2]}, 1), heads, packing.offsets, packing.index, {rate, {77}});
    };
    const Tensors in = on_gpu({random({133, 64}, 1, dtype), random({133, 64}, 2, dtype), random({133, 64}, 3, dtype)});
    // ATen's, which adds the gradient of the queries in any order unless it is told not to.
    if (dtype == at::kBFloat16 && rate == 0.0) continue;

    const Tensors first = results_of(attend, in);
    const Tensors second = results_of(attend, in);

    for (std::size_t n = 0; n < first.size(); ++n) EXPECT_TRUE(at::equal(first[n], second[n])) << n << " in " << dtype;
  }
}

// Tensor cores load 16 bytes at once.
TEST_F(GpuKernels, attention_takes_a_gradient_from_any_address) {
  const Packing packing({100, 33});
  const at::Tensor in = random({133, 192}, 1, at::kBFloat16).cuda();
  const at::Tensor gradient = random({133 * 64 + 1}, 2, at::kBFloat16).cuda();
  const auto gradient_of = [&](const at::Tensor& out_gradient) {
    const at::Tensor leaf = in.clone().requires_grad_();
    torch::autograd::backward({attention(leaf, 1, packing.offsets, packing.index, {0.1, {77}})}, {out_gradient});
    return leaf.grad();
  };
  const at::Tensor odd = gradient.narrow(0, 1, 133 * 64).view({133, 64});

  EXPECT_TRUE(at::equal(gradient_of(odd), gradient_of(odd.clone())));
}

TEST_F(GpuKernels, pooling_equals_the_cpus) {
  for (const Pooling pooling : {Pooling::mean, Pooling::cls, Pooling::max})
    expect_alike(
        [&](const auto& x) {
          return normalize_rows(pool(x[0], {0, 3, 4, 40}, pooling));
        },
        {random({40, 48}, 1, at::kFloat)}, 40);
}

TEST_F(GpuKernels, adamw_equals_the_cpus) {
  const auto updated = [](const at::Device& device) {
    ParameterStore store({{"w", random({40, 30}, 1, at::kFloat), {}}}, {at::kFloat, at::kBFloat16}, device);
    AdamW optimizer({}, store);
    for (int step = 0; step < 3; ++step) {
      at::Tensor gradient = store.at("w").mutable_grad();
      gradient.copy_(random({40, 30}, 2, at::kFloat));
      optimizer.step(store, {.encoder = 1e-2}, 2.0);
    }
    return store.at("w").detach().cpu().to(at::kDouble);
  };

  EXPECT_LT(test::relative_distance(updated(at::kCUDA), updated(at::kCPU)), 30 * unit(at::kFloat));
}

// The layers' kernels only begin their work: a wait for the GPU anywhere in them is an error here.
TEST_F(GpuKernels, never_wait_for_the_gpu) {
  const Packing packing({30, 40});
  const TokenPlaces places = places_of(packing);
  const Tensors in = on_gpu({random({70, 64}, 1, at::kBFloat16), random({70, 64}, 2, at::kBFloat16),
                             random({64}, 3, at::kFloat), random({64}, 4, at::kFloat)});
  Tensors leaves;
  for (const at::Tensor& input : in) leaves.push_back(input.detach().requires_grad_());
  auto& warnings = c10::cuda::warning_state();
  const auto before = warnings.get_sync_debug_mode();
  warnings.set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);

  // Without dropout attention is ATen's.
  for (const double rate : {0.1, 0.0})
    EXPECT_NO_THROW({
      const at::Tensor mixed =
          attention(at::cat({leaves[0], leaves[1], leaves[1]}, 1), 2, packing.offsets, packing.index, {rate, {77}});
      const at::Tensor normal =
          dropout_residual_norm(mixed, leaves[0], {leaves[2], leaves[3], 1e-5}, rate, kKey, places);
      const at::Tensor active = bias_activate(normal, leaves[3], Activation::gelu);
      torch::autograd::backward({normalize_rows(pool(active, packing.offsets, Pooling::mean)).sum()});
    });
  warnings.set_sync_debug_mode(before);
}

}  // namespace
}  // namespace coterie::kernels
