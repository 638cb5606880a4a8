#include "train/loss_stage.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include "base/error.h"

namespace coterie::train {
namespace {

// The gathered row of each sequence of the global batch: all sides a, all sides b, all hard negatives.
at::Tensor global_order(const dist::ProcessGroup& world, const std::vector<std::int64_t>& sequence_index,
                        const dist::Splits& rows) {
  const at::Tensor all = world.all_gather(at::tensor(sequence_index, at::kLong), rows);
  const auto* index = all.const_data_ptr<std::int64_t>();
  const std::int64_t count = all.numel();
  at::Tensor row_of = at::full({count}, -1, at::kLong);
  auto* row = row_of.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < count; ++i) {
    COTERIE_CHECK(ShapeError, index[i] >= 0 && index[i] < count && row[index[i]] < 0, "loss: sequence ", index[i],
                  " of ", count, " is held twice or out of range");
    row[index[i]] = i;
  }
  return row_of;
}

}  // namespace

LossResult loss_stage(const dist::ProcessGroup& world, const BatchLoss& loss, const at::Tensor& embeddings_BD,
                      const data::Batch& batch, double scale, const NegativeMask& mask) {
  const c10::NoGradGuard no_grad;
  const std::int64_t mine = batch.sequences.sequences();
  const dist::Splits rows = world.all_gather_counts(std::span(&mine, 1));
  const at::Tensor order = global_order(world, batch.sequences.sequence_index, rows).to(embeddings_BD.device());
  const at::Tensor gathered = world.all_gather(embeddings_BD.detach().contiguous(), rows);
  const std::int64_t n = batch.global.pairs();
  const dist::Splits sides = {n, n, order.size(0) - 2 * n};
  const auto part = gathered.index_select(0, order).split_with_sizes(sides);

  const LossShare share = loss.share({part[0], part[1], part[2]}, batch.positions, scale, mask);

  at::Tensor gradients = at::empty_like(gathered);
  gradients.index_copy_(0, order, at::cat({share.gradient.a, share.gradient.b, share.gradient.negatives}));
  at::Tensor total = at::full({1}, share.loss, at::kDouble);
  world.all_reduce(total);
  return {total.item<double>(), world.reduce_scatter(gradients, rows), share.gradient_scale};
}

}  // namespace coterie::train
