#include "kernels/attention.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <numeric>

#include "base/error.h"
#include "kernels/dropout.h"
#include "kernels/gpu/kernels.h"
#include "kernels/stored.h"

namespace coterie::kernels {
namespace {

/// What the tasks of one call have in common; kept for the backward pass.
struct Batch : torch::CustomClassHolder {
  std::int64_t heads = 0;
  std::vector<std::int64_t> offsets;
  std::vector<std::int64_t> sequence_index;
  simd::Drop drop;

  [[nodiscard]] std::int64_t length(std::size_t b) const { return offsets[b + 1] - offsets[b]; }
};

template <class Stored>
simd::Rows<const Stored> rows_of(const at::Tensor& rows_TD, std::int64_t token, std::int64_t column) {
  return {numbers<Stored>(rows_TD) + token * rows_TD.stride(0) + column, rows_TD.stride(0)};
}

template <class Stored>
simd::Rows<Stored> writable_rows_of(const at::Tensor& rows_TD, std::int64_t token, std::int64_t column) {
  return {writable_numbers<Stored>(rows_TD) + token * rows_TD.stride(0) + column, rows_TD.stride(0)};
}

/// Calls task(first token, head, scratch) for each head of each sequence that is not empty.
///
/// Threads take the next task when they are free, longest sequences first; each task writes its own rows and columns,
/// so that who takes it changes nothing.
template <class Stored, class Task>
void for_heads(const Batch& batch, std::int64_t width, const Task& task) {
  std::vector<std::size_t> order(batch.offsets.size() - 1);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return batch.length(a) > batch.length(b); });
  const auto count = static_cast<std::int64_t>(order.size()) * batch.heads;
  using Scalar = simd::Compute<Stored>;
  const std::int64_t scratch = loops<Stored>().attention.scratch_size(batch.length(order[0]), width);
  std::atomic<std::int64_t> next = 0;
  at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t, std::int64_t) {
    // A cache line more, to start on one.
    constexpr std::size_t kLine = 64;
    const std::size_t size = static_cast<std::size_t>(scratch) * sizeof(Scalar);
    const auto memory = std::make_unique_for_overwrite<std::byte[]>(size + kLine);
    auto address = reinterpret_cast<std::uintptr_t>(memory.get());
    address += kLine - address % kLine;
    for (std::int64_t n = next++; n < count; n = next++) {
      const std::size_t b = order[static_cast<std::size_t>(n / batch.heads)];
      const std::int64_t head = n % batch.heads;
      if (batch.length(b) != 0) task(b, head, reinterpret_cast<Scalar*>(address));
    }
  });
}

/// Query, key and value are the thirds of the columns.
template <class Stored>
simd::Head<Stored> head_of(const Batch& batch, std::size_t b, std::int64_t head, const at::Tensor& projections_T3D) {
  const std::int64_t model_width = projections_T3D.size(1) / 3;
  const std::int64_t width = model_width / batch.heads;
  const auto part = [&](std::int64_t third) {
    return rows_of<Stored>(projections_T3D, batch.offsets[b], third * model_width + head * width);
  };
  return {.query = part(0),
          .key = part(1),
          .value = part(2),
          .length = batch.length(b),
          .width = width,
          .sequence = static_cast<std::uint32_t>(batch.sequence_index[b]),
          .head = static_cast<std::uint32_t>(head),
          .drop = batch.drop};
}

class Attention : public torch::autograd::Function<Attention> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& projections,
                            const c10::intrusive_ptr<Batch>& batch) {
    const at::Tensor projections_T3D = projections.contiguous();
    const std::int64_t tokens = projections_T3D.size(0);
    const std::int64_t width = projections_T3D.size(1) / 3 / batch->heads;
    const at::Tensor out_TD = at::empty({tokens, width * batch->heads}, projections_T3D.options());
    const at::Tensor log_sum_HT = at::empty(
        {batch->heads, tokens}, projections_T3D.options().dtype(compute_dtype(projections_T3D.scalar_type())));
    with_stored(projections_T3D.scalar_type(), "attention", [&](auto stored) {
      using Stored = decltype(stored);
      using Scalar = simd::Compute<Stored>;
      for_heads<Stored>(*batch, width, [&](std::size_t b, std::int64_t head, Scalar* scratch) {
        const std::int64_t first = batch->offsets[b];
        loops<Stored>().attention.forward(head_of<Stored>(*batch, b, head, projections_T3D),
                                          {writable_rows_of<Stored>(out_TD, first, head * width),
                                           writable_numbers<Scalar>(log_sum_HT) + head * tokens + first},
                                          scratch);
      });
    });
    context->save_for_backward({projections_T3D, out_TD, log_sum_HT});
    context->saved_data["batch"] = c10::IValue::make_capsule(batch);
    return out_TD;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &projections_T3D = saved[0], &out_TD = saved[1], &log_sum_HT = saved[2];
    const auto holder = context->saved_data["batch"].toCapsule();
    const auto& batch = static_cast<const Batch&>(*holder);
    const at::Tensor out_gradient_TD = gradients[0].contiguous();
    const std::int64_t model_width = out_TD.size(1);
    const std::int64_t width = model_width / batch.heads;
    const at::Tensor gradient_T3D = at::empty(projections_T3D.sizes(), projections_T3D.options());
    with_stored(out_TD.scalar_type(), "attention", [&](auto stored) {
      using Stored = decltype(stored);
      using Scalar = simd::Compute<Stored>;
      for_heads<Stored>(batch, width, [&](std::size_t b, std::int64_t head, Scalar* scratch) {
        const std::int64_t first = batch.offsets[b];
        const std::int64_t column = head * width;
        const auto gradient_of = [&](std::int64_t third) {
          return writable_rows_of<Stored>(gradient_T3D, first, third * model_width + column);
        };
        loops<Stored>().attention.backward(head_of<Stored>(batch, b, head, projections_T3D),
                                           {.out = rows_of<Stored>(out_TD, first, column),
                                            .out_gradient = rows_of<Stored>(out_gradient_TD, first, column),
                                            .log_sum = numbers<Scalar>(log_sum_HT) + head * out_TD.size(0) + first,
                                            .query = gradient_of(0),
                                            .key = gradient_of(1),
                                            .value = gradient_of(2)},
                                           scratch);
      });
    });
    return {gradient_T3D, at::Tensor()};
  }
};

void check_offsets(const std::vector<std::int64_t>& offsets) {
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    const std::int64_t length = offsets[b + 1] - offsets[b];
    COTERIE_CHECK(ShapeError, length >= 0 && length < kLongestSequence, "attention: a sequence must have 0 to ",
                  kLongestSequence - 1, " tokens, got ", length, " in sequence ", b);
  }
}

}  // namespace

at::Tensor attention(const at::Tensor& projections_T3D, std::int64_t heads, const std::vector<std::int64_t>& offsets,
                     const std::vector<std::int64_t>& sequence_index, const AttentionDropout& dropout) {
  COTERIE_CHECK(ShapeError, projections_T3D.dim() == 2 && heads > 0 && projections_T3D.size(1) % (3 * heads) == 0,
                "attention: query, key and value of ", heads, " heads must be [T, 3 D], got ", projections_T3D.sizes());
  COTERIE_CHECK(ShapeError, !offsets.empty() && offsets.back() == projections_T3D.size(0), "attention: offsets end at ",
                offsets.empty() ? -1 : offsets.back(), ", there are ", projections_T3D.size(0), " tokens");
  COTERIE_CHECK(ShapeError, sequence_index.size() == offsets.size() - 1, "attention: ", sequence_index.size(),
                " indices for ", offsets.size() - 1, " sequences");
  COTERIE_CHECK(ShapeError, offsets.front() == 0, "attention: offsets must start at 0, got ", offsets.front());
  check_offsets(offsets);
  // A rank without tokens still owns a place in the graph, so that its backward reaches every collective.
  if (projections_T3D.size(0) == 0) return projections_T3D.narrow(1, 0, projections_T3D.size(1) / 3);
  if (projections_T3D.is_cuda()) return gpu::attention(projections_T3D, heads, offsets, sequence_index, dropout);
  auto batch = c10::make_intrusive<Batch>();
  batch->heads = heads;
  batch->offsets = offsets;
  batch->sequence_index = sequence_index;
  batch->drop = drop_of(dropout.rate, dropout.key);
  return Attention::apply(projections_T3D, batch);
}

}  // namespace coterie::kernels
