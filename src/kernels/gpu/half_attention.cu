// Attention in bf16 on tensor cores: how its kernels are started.
#include "kernels/gpu/attention_grid.cuh"
#include "kernels/gpu/half_attention.cuh"
#include "kernels/gpu/warp.cuh"

namespace coterie::kernels::gpu {
namespace {

constexpr int kThreads = half::kLanes * half::kWarps;

/// Calls use(integral_constant) with the width of a head that `fits_tensor_cores`.
template <class Use>
void with_width(std::int64_t width, const Use& use) {
  if (width == 32)
    use(std::integral_constant<int, 32>{});
  else
    use(std::integral_constant<int, 64>{});
}

bool is_aligned(simd::Rows<const BFloat> rows) {
  return reinterpret_cast<std::uintptr_t>(rows.data) % sizeof(uint4) == 0 && rows.stride % 8 == 0;
}

}  // namespace

bool fits_tensor_cores(const Attention<BFloat>& batch) {
  return (batch.width == 32 || batch.width == 64) && is_aligned(batch.query) && is_aligned(batch.key) &&
         is_aligned(batch.value);
}

void attend_on_tensor_cores(const Attention<BFloat>& batch, simd::Rows<BFloat> out, float* log_sum, Stream stream) {
  with_width(batch.width, [&](auto width) {
    half::attend_kernel<width.value>
        <<<attention_grid(batch, half::kBlockRows), kThreads, 0, stream>>>(batch, out, log_sum);
  });
  check_launch("attention");
}

void attend_backward_on_tensor_cores(const Attention<BFloat>& batch, const AttentionGradient<BFloat>& gradient,
                                     Stream stream) {
  with_width(batch.width, [&](auto width) {
    half::query_backward_kernel<width.value>
        <<<attention_grid(batch, half::kBlockRows), kThreads, 0, stream>>>(batch, gradient);
    half::key_backward_kernel<width.value>
        <<<attention_grid(batch, half::kBlockRows), kThreads, 0, stream>>>(batch, gradient);
  });
  check_launch("attention backward");
}

}  // namespace coterie::kernels::gpu
