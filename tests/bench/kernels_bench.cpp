// Times the kernels against the separate ATen operations they replace, in turn in one process: minimum and median.
//
// usage: kernels_bench [repeats] [wall|cpu] [part of a name]
// cpu: processor time instead of elapsed time, which means something on a busy machine, with OMP_NUM_THREADS=1.
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>

#include "kernels/activation.h"
#include "kernels/fused_norm.h"
#include "kernels/linear.h"
#include "kernels/simd/functions.h"
#include "tests/kernels/plain.h"

namespace coterie::test {
namespace {

using Tensors = std::vector<at::Tensor>;
using Call = std::function<at::Tensor(const Tensors&)>;

struct Times {
  std::vector<double> forward_ms;
  std::vector<double> backward_ms;
};

clockid_t measured_clock = CLOCK_MONOTONIC;
const char* wanted = "";

double now_ms() {
  timespec time{};
  clock_gettime(measured_clock, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
}

double ms_of(const std::function<void()>& work) {
  const double start = now_ms();
  work();
  return now_ms() - start;
}

void run_once(const Call& call, const Tensors& inputs, const at::Tensor& gradient, Times& times) {
  at::Tensor out;
  times.forward_ms.push_back(ms_of([&] { out = call(inputs); }));
  times.backward_ms.push_back(ms_of([&] { torch::autograd::backward({out}, {gradient}); }));
  for (const at::Tensor& input : inputs) input.mutable_grad().reset();
}

double minimum(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Runs both variants in turn; `gflop` is that of the forward pass, 0 where no rate makes sense.
void compare(const char* name, const Call& plain, const Call& fast, const Tensors& inputs, double gflop, int repeats) {
  if (!std::strstr(name, wanted)) return;
  const at::Tensor gradient = at::randn_like(plain(inputs).detach());
  Times plain_times;
  Times fast_times;
  for (int n = 0; n <= repeats; ++n) {
    run_once(plain, inputs, gradient, plain_times);
    run_once(fast, inputs, gradient, fast_times);
    if (n == 0) plain_times = fast_times = {};  // the first run warms up
  }
  const auto line = [&](const char* variant, const Times& times) {
    std::printf("%-26s %-6s fwd %7.2f (%7.2f)  bwd %7.2f (%7.2f) ms", name, variant, minimum(times.forward_ms),
                median(times.forward_ms), minimum(times.backward_ms), median(times.backward_ms));
    // Backward: five products for the two of forward.
    if (gflop > 0)
      std::printf("  %6.1f / %6.1f GFLOP/s", 1e3 * gflop / minimum(times.forward_ms),
                  2.5e3 * gflop / minimum(times.backward_ms));
    std::printf("\n");
    std::fflush(stdout);
  };
  line("plain", plain_times);
  line("fast", fast_times);
}

Tensors leaves(const std::vector<std::vector<std::int64_t>>& sizes, at::ScalarType dtype = at::kFloat) {
  Tensors out;
  for (const auto& size : sizes) out.push_back(at::randn(size).to(dtype).requires_grad_());
  return out;
}

// Beside what ATen does best with sequences of one length: all in one call.
void attention_of(at::ScalarType dtype, std::int64_t length, std::int64_t width, double rate, int repeats) {
  const std::int64_t tokens = 8192;
  const std::int64_t heads = 384 / width;
  const auto split = [&](const at::Tensor& rows) {
    return rows.view({tokens / length, length, heads, width}).transpose(1, 2);
  };
  const Packing packing(std::vector<std::int64_t>(static_cast<std::size_t>(tokens / length), length));
  const kernels::AttentionDropout dropout{rate, {7}};
  char name[64];
  std::snprintf(name, sizeof(name), "attention %s N=%d d=%d p=%.1f", dtype == at::kFloat ? "fp32" : "bf16",
                static_cast<int>(length), static_cast<int>(width), rate);
  compare(
      name,
      [&](const Tensors& in) {
        return at::scaled_dot_product_attention(split(in[0]), split(in[1]), split(in[2]), {}, rate)
            .transpose(1, 2)
            .reshape({tokens, 384});
      },
      [&](const Tensors& in) {
        return kernels::attention(at::cat({in[0], in[1], in[2]}, 1), heads, packing.offsets, packing.index, dropout);
      },
      leaves({{tokens, 384}, {tokens, 384}, {tokens, 384}}, dtype), 4e-9 * static_cast<double>(length * tokens * 384),
      repeats);
}

void fused_norm(double rate, int repeats) {
  const Packing packing(std::vector<std::int64_t>(64, 128));
  const kernels::TokenPlaces places = packing.places();
  compare(
      rate == 0.0 ? "norm p=0" : "norm p=0.1",
      [&](const Tensors& in) {
        return at::layer_norm(in[1] + kernels::dropout(in[0], rate, {3}, places), {384}, in[2], in[3], 1e-12);
      },
      [&](const Tensors& in) {
        return kernels::dropout_residual_norm(in[0], in[1], {in[2], in[3], 1e-12}, rate, {3}, places);
      },
      leaves({{8192, 384}, {8192, 384}, {384}, {384}}), 0, repeats);
}

void dropout_alone(int repeats) {
  const Packing packing(std::vector<std::int64_t>(64, 128));
  const kernels::TokenPlaces places = packing.places();
  compare(
      "dropout (plain: at::dropout)", [&](const Tensors& in) { return at::dropout(in[0], 0.1, true); },
      [&](const Tensors& in) { return kernels::dropout(in[0], 0.1, {3}, places); }, leaves({{8192, 384}}), 0, repeats);
}

void gelu(int repeats) {
  compare(
      "bias, gelu", [](const Tensors& in) { return at::gelu(in[0] + in[1]); },
      [](const Tensors& in) { return kernels::bias_activate(in[0], in[1], kernels::Activation::gelu); },
      leaves({{8192, 1536}, {1536}}), 0, repeats);
  compare(
      "linear, bias, gelu", [](const Tensors& in) { return at::gelu(at::linear(in[0], in[1], in[2])); },
      [](const Tensors& in) {
        return kernels::bias_activate(at::linear(in[0], in[1]), in[2], kernels::Activation::gelu);
      },
      leaves({{8192, 384}, {1536, 384}, {1536}}), 0, repeats);
}

// The weights are copied for both; a training step copies them once.
void half_linear(int repeats) {
  const auto half = [](const at::Tensor& master) { return master.to(at::kBFloat16); };
  const auto copied = [&](const at::Tensor& master) { return kernels::Operand{master, half(master.detach())}; };
  Tensors inputs = leaves({{8192, 384}}, at::kBFloat16);
  for (const at::Tensor& master : leaves({{1536, 384}, {1536}})) inputs.push_back(master);
  compare(
      "linear bf16", [&](const Tensors& in) { return at::linear(in[0], half(in[1]), half(in[2])); },
      [&](const Tensors& in) { return kernels::linear(in[0], copied(in[1]), copied(in[2])); }, inputs, 0, repeats);
}

}  // namespace
}  // namespace coterie::test

int main(int argc, char** argv) {
  using namespace coterie::test;
  const int repeats = argc > 1 ? std::max(1, std::atoi(argv[1])) : 7;
  if (argc > 2 && std::strcmp(argv[2], "cpu") == 0) measured_clock = CLOCK_PROCESS_CPUTIME_ID;
  if (argc > 3) wanted = argv[3];
  std::printf("%d threads, %s, 8192 tokens of 384; minimum (median) of %d\n", at::get_num_threads(),
              coterie::kernels::simd::function_set().name, repeats);
  for (const double rate : {0.0, 0.1}) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      for (const std::int64_t length : {32, 64, 128, 256, 512}) attention_of(dtype, length, 32, rate, repeats);
      attention_of(dtype, 128, 64, rate, repeats);
    }
    fused_norm(rate, repeats);
  }
  dropout_alone(repeats);
  gelu(repeats);
  half_linear(repeats);
}
