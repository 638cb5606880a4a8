#include "train/contrastive_loss.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <limits>

#include "base/error.h"

namespace coterie::train {
namespace {

constexpr std::int64_t kTileRows = 256;

// The mask seen along one direction: which columns leave the denominator of a row.
struct DirectedMask {
  const std::vector<std::int64_t>& row_offsets;
  const std::vector<std::int64_t>& columns;
  const std::vector<std::int32_t>& row_domain;
  const std::vector<std::int32_t>& column_domain;
};

// Sets the masked cells of a tile of logits to minus infinity.
void apply(const DirectedMask& mask, const std::vector<std::int64_t>& rows, std::int64_t first, at::Tensor& logits) {
  std::vector<std::int64_t> tile_rows;
  std::vector<std::int64_t> tile_columns;
  for (std::int64_t r = 0; r < logits.size(0); ++r) {
    const auto row = static_cast<std::size_t>(rows[static_cast<std::size_t>(first + r)]);
    for (std::int64_t k = mask.row_offsets[row]; k < mask.row_offsets[row + 1]; ++k) {
      tile_rows.push_back(r);
      tile_columns.push_back(mask.columns[static_cast<std::size_t>(k)]);
    }
    if (mask.row_domain.empty()) continue;
    for (std::size_t j = 0; j < mask.column_domain.size(); ++j) {
      if (j == row || mask.column_domain[j] == mask.row_domain[row]) continue;
      tile_rows.push_back(r);
      tile_columns.push_back(static_cast<std::int64_t>(j));
    }
  }
  if (tile_rows.empty()) return;
  logits.index_put_({at::tensor(tile_rows, at::kLong), at::tensor(tile_columns, at::kLong)},
                    at::full({}, -std::numeric_limits<double>::infinity(), logits.options()));
}

// Adds the terms of the rows `positions` of one direction: anchors[i] against every candidate.
void add_direction(const at::Tensor& anchors, const at::Tensor& candidates, const std::vector<std::int64_t>& positions,
                   double scale, double weight, const DirectedMask& mask, at::Tensor& anchor_gradient,
                   at::Tensor& candidate_gradient, LossShare& share) {
  const auto count = static_cast<std::int64_t>(positions.size());
  const at::Tensor rows = at::tensor(positions, at::kLong);
  for (std::int64_t first = 0; first < count; first += kTileRows) {
    const std::int64_t tile = std::min(kTileRows, count - first);
    const at::Tensor target = rows.narrow(0, first, tile);
    const at::Tensor anchor = anchors.index_select(0, target);
    const at::Tensor similarity = at::mm(anchor, candidates.t());
    at::Tensor logits = similarity * scale;
    apply(mask, positions, first, logits);
    const at::Tensor log_sum = logits.logsumexp({1}, /*keepdim=*/true);
    const at::Tensor chosen = logits.gather(1, target.unsqueeze(1));
    share.loss += weight * (log_sum - chosen).sum(at::kDouble).item<double>();
    // d loss / d logits = softmax - one at the target; masked cells have softmax 0.
    at::Tensor gradient = (logits - log_sum).exp_();
    gradient.scatter_add_(1, target.unsqueeze(1), at::full_like(chosen, -1.0));
    gradient.mul_(weight);
    share.gradient_scale += (gradient * similarity).sum(at::kDouble).item<double>();
    gradient.mul_(scale);
    anchor_gradient.index_add_(0, target, at::mm(gradient, candidates));
    candidate_gradient.addmm_(gradient.t(), anchor);
  }
}

// Row offsets and rows of the transposed cells.
data::MaskedCells transposed(const data::MaskedCells& cells) {
  const std::size_t n = cells.row_offsets.size() - 1;
  data::MaskedCells out;
  out.row_offsets.assign(n + 1, 0);
  for (const std::int64_t column : cells.columns) ++out.row_offsets[static_cast<std::size_t>(column) + 1];
  for (std::size_t i = 0; i < n; ++i) out.row_offsets[i + 1] += out.row_offsets[i];
  out.columns.resize(cells.columns.size());
  std::vector<std::int64_t> next(out.row_offsets.begin(), out.row_offsets.end() - 1);
  for (std::size_t i = 0; i < n; ++i)
    for (std::int64_t k = cells.row_offsets[i]; k < cells.row_offsets[i + 1]; ++k) {
      const auto column = static_cast<std::size_t>(cells.columns[static_cast<std::size_t>(k)]);
      out.columns[static_cast<std::size_t>(next[column]++)] = static_cast<std::int64_t>(i);
    }
  return out;
}

}  // namespace

LossShare contrastive_loss(LossKind kind, const at::Tensor& a, const at::Tensor& b,
                           const std::vector<std::int64_t>& positions, double scale, const NegativeMask& mask) {
  const c10::NoGradGuard no_grad;
  COTERIE_CHECK(ShapeError, a.sizes() == b.sizes() && a.size(0) > 0, "loss: a is ", a.sizes(), ", b is ", b.sizes());
  COTERIE_CHECK(ShapeError, static_cast<std::int64_t>(mask.known.row_offsets.size()) == a.size(0) + 1,
                "loss: mask has ", mask.known.row_offsets.size(), " row offsets for ", a.size(0), " pairs");
  LossShare share;
  share.gradient_a = at::zeros_like(a);
  share.gradient_b = at::zeros_like(b);
  const double directions = kind == LossKind::symmetric ? 2.0 : 1.0;
  const double weight = 1.0 / (directions * static_cast<double>(a.size(0)));
  add_direction(a, b, positions, scale, weight,
                {mask.known.row_offsets, mask.known.columns, mask.domain_a, mask.domain_b}, share.gradient_a,
                share.gradient_b, share);
  if (kind == LossKind::symmetric) {
    const data::MaskedCells columns = transposed(mask.known);
    add_direction(b, a, positions, scale, weight, {columns.row_offsets, columns.columns, mask.domain_b, mask.domain_a},
                  share.gradient_b, share.gradient_a, share);
  }
  return share;
}

}  // namespace coterie::train
