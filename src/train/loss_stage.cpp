#include "train/loss_stage.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "kernels/upload.h"

namespace coterie::train {
namespace {

// The gathered row of each sequence of the global batch: all sides a, all sides b, all hard negatives.
std::vector<std::int64_t> global_order(const std::vector<data::SequenceLayout>& shares) {
  std::vector<std::int64_t> index;
  for (const data::SequenceLayout& share : shares)
    index.insert(index.end(), share.sequence_index.begin(), share.sequence_index.end());
  const auto count = static_cast<std::int64_t>(index.size());
  std::vector<std::int64_t> row_of(index.size(), -1);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t sequence = index[static_cast<std::size_t>(i)];
    COTERIE_CHECK(ShapeError, sequence >= 0 && sequence < count && row_of[static_cast<std::size_t>(sequence)] < 0,
                  "loss: sequence ", sequence, " of ", count, " is held twice or out of range");
    row_of[static_cast<std::size_t>(sequence)] = i;
  }
  return row_of;
}

}  // namespace

LossResult loss_stage(const dist::ProcessGroup& world, const BatchLoss& loss, const at::Tensor& embeddings_BD,
                      const data::Batch& batch, double scale, const NegativeMask& mask) {
  const c10::NoGradGuard no_grad;
  dist::Splits rows;
  for (const data::SequenceLayout& share : batch.shares) rows.push_back(share.sequences());
  const at::Tensor order = kernels::upload(global_order(batch.shares), embeddings_BD.device());
  const at::Tensor gathered = world.all_gather(embeddings_BD.detach().contiguous(), rows);
  const std::int64_t n = batch.global.pairs();
  const dist::Splits sides = {n, n, order.size(0) - 2 * n};
  const auto part = gathered.index_select(0, order).split_with_sizes(sides);

  const LossShare share = loss.share({part[0], part[1], part[2]}, batch.positions, scale, mask);

  at::Tensor gradients = at::empty_like(gathered);
  gradients.index_copy_(0, order, at::cat({share.gradient.a, share.gradient.b, share.gradient.negatives}));
  at::Tensor total = share.loss;
  world.all_reduce(total);
  return {total, world.reduce_scatter(gradients, rows), share.gradient_scale};
}

}  // namespace coterie::train
