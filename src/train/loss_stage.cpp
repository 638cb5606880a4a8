#include "train/loss_stage.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include "base/error.h"

namespace coterie::train {
namespace {

// Rows of the gathered embeddings at which each position's a and b stand.
struct GlobalOrder {
  at::Tensor row_of_a;  // int64 [n]
  at::Tensor row_of_b;
};

GlobalOrder global_order(const dist::ProcessGroup& world, const std::vector<std::int64_t>& positions,
                         const dist::Splits& pairs) {
  const at::Tensor all = world.all_gather(at::tensor(positions, at::kLong), pairs);
  const auto* position = all.const_data_ptr<std::int64_t>();
  const std::int64_t n = all.numel();
  GlobalOrder order{at::full({n}, -1, at::kLong), at::full({n}, -1, at::kLong)};
  auto* row_of_a = order.row_of_a.mutable_data_ptr<std::int64_t>();
  auto* row_of_b = order.row_of_b.mutable_data_ptr<std::int64_t>();
  std::int64_t row = 0;
  for (const std::int64_t count : pairs) {
    for (std::int64_t i = 0; i < count; ++i, ++position) {
      COTERIE_CHECK(ShapeError, *position >= 0 && *position < n && row_of_a[*position] < 0, "loss: position ",
                    *position, " of ", n, " is held twice or out of range");
      row_of_a[*position] = row + i;
      row_of_b[*position] = row + count + i;
    }
    row += 2 * count;
  }
  return order;
}

}  // namespace

LossResult loss_stage(const dist::ProcessGroup& world, LossKind kind, const at::Tensor& embeddings_BD,
                      const std::vector<std::int64_t>& positions, double scale, const NegativeMask& mask) {
  const c10::NoGradGuard no_grad;
  const auto mine = static_cast<std::int64_t>(positions.size());
  const dist::Splits pairs = world.all_gather_counts(std::span(&mine, 1));
  dist::Splits rows = pairs;
  for (std::int64_t& count : rows) count *= 2;
  const GlobalOrder order = global_order(world, positions, pairs);
  const at::Tensor gathered = world.all_gather(embeddings_BD.detach().contiguous(), rows);

  const LossShare share = contrastive_loss(kind, gathered.index_select(0, order.row_of_a),
                                           gathered.index_select(0, order.row_of_b), positions, scale, mask);

  at::Tensor gradients = at::empty_like(gathered);
  gradients.index_copy_(0, order.row_of_a, share.gradient_a).index_copy_(0, order.row_of_b, share.gradient_b);
  at::Tensor loss = at::full({1}, share.loss, at::kDouble);
  world.all_reduce(loss);
  return {loss.item<double>(), world.reduce_scatter(gradients, rows), share.gradient_scale};
}

}  // namespace coterie::train
