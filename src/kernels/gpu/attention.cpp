// Attention on a GPU, as part of a graph.
#include <ATen/Functions.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "base/error.h"
#include "kernels/gpu/attention_math.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/launch.h"
#include "kernels/stored.h"
#include "kernels/upload.h"

namespace coterie::kernels::gpu {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Stream stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

std::int64_t longest_of(const std::vector<std::int64_t>& offsets) {
  std::int64_t longest = 0;
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) longest = std::max(longest, offsets[b + 1] - offsets[b]);
  return longest;
}

/// What forward and backward of one call share.
struct Batch : torch::CustomClassHolder {
  std::int64_t heads = 0;
  std::int64_t longest = 0;
  at::Tensor offsets;   // int64 [B + 1]
  at::Tensor sequence;  // int64 [B]
  simd::Drop drop;
};

/// One of the three parts of a row of projections, or of the output, which is one part wide.
template <class Stored>
simd::Rows<const Stored> rows_of(const at::Tensor& rows, std::int64_t column = 0) {
  return {numbers<Stored>(rows) + column, rows.stride(0)};
}

template <class Stored>
simd::Rows<Stored> writable_rows_of(const at::Tensor& rows, std::int64_t column = 0) {
  return {writable_numbers<Stored>(rows) + column, rows.stride(0)};
}

template <class Stored>
Attention<Stored> attention_of(const Batch& batch, const at::Tensor& projections_T3D) {
  const std::int64_t model_width = projections_T3D.size(1) / 3;
  return {.query = rows_of<Stored>(projections_T3D),
          .key = rows_of<Stored>(projections_T3D, model_width),
          .value = rows_of<Stored>(projections_T3D, 2 * model_width),
          .offsets = batch.offsets.const_data_ptr<std::int64_t>(),
          .sequence = batch.sequence.const_data_ptr<std::int64_t>(),
          .sequences = batch.sequence.size(0),
          .longest = batch.longest,
          .tokens = projections_T3D.size(0),
          .heads = batch.heads,
          .width = model_width / batch.heads,
          .drop = batch.drop};
}

template <class Stored>
void run(const Attention<Stored>& batch, simd::Rows<Stored> out, Compute<Stored>* log_sum) {
  if constexpr (std::is_same_v<Stored, BFloat>)
    if (fits_tensor_cores(batch)) return attend_on_tensor_cores(batch, out, log_sum, stream());
  attend(batch, out, log_sum, stream());
}

template <class Stored>
void run_backward(const Attention<Stored>& batch, const AttentionGradient<Stored>& gradient) {
  if constexpr (std::is_same_v<Stored, BFloat>)
    if (fits_tensor_cores(batch)) return attend_backward_on_tensor_cores(batch, gradient, stream());
  attend_backward(batch, gradient, stream());
}

/// Where tensor cores can load from it.
at::Tensor aligned(const at::Tensor& rows) {
  return reinterpret_cast<std::uintptr_t>(rows.const_data_ptr()) % 16 == 0 ? rows : rows.clone();
}

class OwnAttention : public torch::autograd::Function<OwnAttention> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& projections,
                            const c10::intrusive_ptr<Batch>& batch) {
    const at::Tensor projections_T3D = projections.contiguous();
    const std::int64_t tokens = projections_T3D.size(0);
    const auto options = projections_T3D.options().requires_grad(false);
    const at::Tensor out_TD = at::empty({tokens, projections_T3D.size(1) / 3}, options);
    const at::Tensor log_sum_HT =
        at::empty({batch->heads, tokens}, options.dtype(compute_dtype(projections_T3D.scalar_type())));
    with_stored(projections_T3D.scalar_type(), "attention", [&](auto stored) {
      using Stored = decltype(stored);
      run(attention_of<Stored>(*batch, projections_T3D), writable_rows_of<Stored>(out_TD),
          writable_numbers<Compute<Stored>>(log_sum_HT));
    });
    context->save_for_backward({projections_T3D, out_TD, log_sum_HT});
    context->saved_data["batch"] = c10::IValue::make_capsule(batch);
    return out_TD;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &projections_T3D = saved[0], &out_TD = saved[1], &log_sum_HT = saved[2];
    const auto holder = context->saved_data["batch"].toCapsule();
    const auto& batch = static_cast<const Batch&>(*holder);
    const at::Tensor out_gradient_TD = aligned(gradients[0].contiguous());
    const at::Tensor gradient_T3D = at::empty_like(projections_T3D);
    const at::Tensor delta_HT = at::empty_like(log_sum_HT);
    const std::int64_t model_width = out_TD.size(1);
    with_stored(out_TD.scalar_type(), "attention", [&](auto stored) {
      using Stored = decltype(stored);
      using Scalar = Compute<Stored>;
      const AttentionGradient<Stored> gradient{.out = rows_of<Stored>(out_TD),
                                               .out_gradient = rows_of<Stored>(out_gradient_TD),
                                               .log_sum = numbers<Scalar>(log_sum_HT),
                                               .delta = writable_numbers<Scalar>(delta_HT),
                                               .query = writable_rows_of<Stored>(gradient_T3D),
                                               .key = writable_rows_of<Stored>(gradient_T3D, model_width),
                                               .value = writable_rows_of<Stored>(gradient_T3D, 2 * model_width)};
      run_backward(attention_of<Stored>(batch, projections_T3D), gradient);
    });
    return {gradient_T3D, at::Tensor()};
  }
};

/// ATen's kernel, differentiable by itself.
at::Tensor flash_attention(const at::Tensor& projections_T3D, std::int64_t heads,
                           const std::vector<std::int64_t>& offsets) {
  const std::int64_t longest = longest_of(offsets);
  const at::Tensor bounds = upload(offsets, projections_T3D.device()).to(at::kInt);
  const std::vector<at::Tensor> parts =
      projections_T3D.contiguous().view({projections_T3D.size(0), 3, heads, -1}).unbind(1);
  const at::Tensor out = std::get<0>(at::_flash_attention_forward(parts[0], parts[1], parts[2], bounds, bounds, longest,
                                                                  longest, /*dropout_p=*/0.0,
                                                                  /*is_causal=*/false, /*return_debug_mask=*/false));
  return out.flatten(1);
}

}  // namespace

at::Tensor own_attention(const at::Tensor& projections_T3D, std::int64_t heads,
                         const std::vector<std::int64_t>& offsets, const std::vector<std::int64_t>& sequence_index,
                         const AttentionDropout& dropout) {
  const std::int64_t width = projections_T3D.size(1) / (3 * heads);
  // Tiles of wider numbers would not fit the memory that a block of threads shares.
  const std::int64_t widest = projections_T3D.scalar_type() == at::kDouble ? kWidestHead / 2 : kWidestHead;
  COTERIE_CHECK(ShapeError, width <= widest, "attention: a head may have ", widest, " columns on a GPU, got ", width);
  auto batch = c10::make_intrusive<Batch>();
  batch->heads = heads;
  batch->longest = longest_of(offsets);
  batch->offsets = upload(offsets, projections_T3D.device());
  batch->sequence = upload(sequence_index, projections_T3D.device());
  batch->drop = drop_of(dropout.rate, dropout.key);
  return OwnAttention::apply(projections_T3D, batch);
}

at::Tensor attention(const at::Tensor& projections_T3D, std::int64_t heads, const std::vector<std::int64_t>& offsets,
                     const std::vector<std::int64_t>& sequence_index, const AttentionDropout& dropout) {
  const bool flash = projections_T3D.scalar_type() == at::kBFloat16 && dropout.rate == 0.0 &&
                     (projections_T3D.size(1) / (3 * heads)) % 8 == 0;
  if (flash) return flash_attention(projections_T3D, heads, offsets);
  return own_attention(projections_T3D, heads, offsets, sequence_index, dropout);
}

}  // namespace coterie::kernels::gpu
