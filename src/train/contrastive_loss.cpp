// Shapes: N pairs of the global batch, C candidates, P pairs of this rank, I rows of a tile, D width.
#include "train/contrastive_loss.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <limits>

#include "base/error.h"
#include "kernels/upload.h"

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

// One direction of the loss: each anchor finds its target among the candidates.
struct Direction {
  const at::Tensor& anchors_ND;
  const at::Tensor& candidates_CD;  // C: N, or N and the hard negatives
  DirectedMask mask;
  double scale;
  double weight;                      // of each row's term
  at::Tensor anchor_gradient_ND;      // added to
  at::Tensor& candidate_gradient_CD;  // added to
};

// Some rows of the matrix of cells.
struct Tile {
  at::Tensor row_I;          // int64, number of each row
  at::Tensor target_I;       // int64, column of its target
  at::Tensor host_row_I;     // the same on the host
  at::Tensor host_target_I;  // the same on the host
};

// Sets the masked cells of a tile of logits to minus infinity.
void apply(const DirectedMask& mask, const Tile& tile, at::Tensor& logits_IC) {
  const auto* rows = tile.host_row_I.const_data_ptr<std::int64_t>();
  const auto* targets = tile.host_target_I.const_data_ptr<std::int64_t>();
  std::vector<std::int64_t> tile_rows;
  std::vector<std::int64_t> tile_columns;
  for (std::int64_t r = 0; r < logits_IC.size(0); ++r) {
    const auto leave = [&](std::int64_t column) {
      if (column == rows[r] || column == targets[r]) return;
      tile_rows.push_back(r);
      tile_columns.push_back(column);
    };
    const auto row = static_cast<std::size_t>(rows[r]);
    for (std::int64_t k = mask.row_offsets[row]; k < mask.row_offsets[row + 1]; ++k)
      leave(mask.columns[static_cast<std::size_t>(k)]);
    if (mask.row_domain.empty()) continue;
    for (std::size_t j = 0; j < mask.column_domain.size(); ++j)
      if (mask.column_domain[j] != mask.row_domain[row]) leave(static_cast<std::int64_t>(j));
  }
  if (tile_rows.empty()) return;
  logits_IC.index_put_(
      {kernels::upload(tile_rows, logits_IC.device()), kernels::upload(tile_columns, logits_IC.device())},
      at::full({}, -std::numeric_limits<double>::infinity(), logits_IC.options()));
}

// Adds the terms of a tile's rows.
void add_tile(const Direction& direction, const Tile& tile, const LossShare& share) {
  const at::Tensor anchor_ID = direction.anchors_ND.index_select(0, tile.row_I);
  const at::Tensor similarity_IC = at::mm(anchor_ID, direction.candidates_CD.t());
  at::Tensor logits_IC = similarity_IC * direction.scale;
  apply(direction.mask, tile, logits_IC);
  const at::Tensor log_sum_I = logits_IC.logsumexp({1}, /*keepdim=*/true);
  const at::Tensor chosen_I = logits_IC.gather(1, tile.target_I.unsqueeze(1));
  share.loss.add_((log_sum_I - chosen_I).sum(at::kDouble), direction.weight);
  // d loss / d logits = softmax - one at the target; masked cells have softmax 0.
  at::Tensor gradient_IC = (logits_IC - log_sum_I).exp_();
  gradient_IC.scatter_add_(1, tile.target_I.unsqueeze(1), at::full_like(chosen_I, -1.0));
  gradient_IC.mul_(direction.weight);
  share.gradient_scale.add_((gradient_IC * similarity_IC).sum(at::kDouble));
  gradient_IC.mul_(direction.scale);
  at::Tensor anchor_gradient_ND = direction.anchor_gradient_ND;
  anchor_gradient_ND.index_add_(0, tile.row_I, at::mm(gradient_IC, direction.candidates_CD));
  direction.candidate_gradient_CD.addmm_(gradient_IC.t(), anchor_ID);
}

// The rows whose pairs lie closest to the pairs of `rows`, or these themselves.
at::Tensor closest_pairs(const Embeddings& batch, const at::Tensor& row_I) {
  constexpr double kRounding = 1e-5;
  const at::Tensor closeness_IN =
      at::mm(batch.a.index_select(0, row_I), batch.a.t()).addmm_(batch.b.index_select(0, row_I), batch.b.t());
  const at::Tensor own_I = closeness_IN.gather(1, row_I.unsqueeze(1)).squeeze(1);
  const auto [best_I, closest_I] = closeness_IN.max(1);
  return at::where(best_I > own_I + kRounding * own_I.abs(), closest_I, row_I);
}

// The transposed cells of the pairs, without those of hard negatives.
data::MaskedCells transposed(const data::MaskedCells& cells) {
  const std::size_t n = cells.row_offsets.size() - 1;
  data::MaskedCells out;
  out.row_offsets.assign(n + 1, 0);
  for (const std::int64_t column : cells.columns)
    if (static_cast<std::size_t>(column) < n) ++out.row_offsets[static_cast<std::size_t>(column) + 1];
  for (std::size_t i = 0; i < n; ++i) out.row_offsets[i + 1] += out.row_offsets[i];
  out.columns.resize(static_cast<std::size_t>(out.row_offsets[n]));
  std::vector<std::int64_t> next(out.row_offsets.begin(), out.row_offsets.end() - 1);
  for (std::size_t i = 0; i < n; ++i)
    for (std::int64_t k = cells.row_offsets[i]; k < cells.row_offsets[i + 1]; ++k) {
      const auto column = static_cast<std::size_t>(cells.columns[static_cast<std::size_t>(k)]);
      if (column >= n) continue;
      out.columns[static_cast<std::size_t>(next[column]++)] = static_cast<std::int64_t>(i);
    }
  return out;
}

void check(const Embeddings& batch, const NegativeMask& mask) {
  const std::int64_t n = batch.a.size(0);
  COTERIE_CHECK(ShapeError, batch.a.sizes() == batch.b.sizes() && n > 0, "loss: a is ", batch.a.sizes(), ", b is ",
                batch.b.sizes());
  COTERIE_CHECK(ShapeError, batch.negatives.dim() == 2 && batch.negatives.size(1) == batch.a.size(1),
                "loss: hard negatives must be [h, ", batch.a.size(1), "], got ", batch.negatives.sizes());
  COTERIE_CHECK(ShapeError, static_cast<std::int64_t>(mask.known.row_offsets.size()) == n + 1, "loss: mask has ",
                mask.known.row_offsets.size(), " row offsets for ", n, " pairs");
  const std::int64_t columns = mask.domain_a.empty() ? 0 : n + batch.negatives.size(0);
  COTERIE_CHECK(ShapeError, static_cast<std::int64_t>(mask.domain_b.size()) == columns, "loss: mask has ",
                mask.domain_b.size(), " domains for ", columns, " columns");
}

}  // namespace

LossShare contrastive_loss(LossKind kind, const Embeddings& batch, const std::vector<std::int64_t>& positions,
                           double scale, const NegativeMask& mask) {
  const c10::NoGradGuard no_grad;
  check(batch, mask);
  const bool both = kind == LossKind::symmetric || kind == LossKind::mnr_plus;
  const std::int64_t n = batch.a.size(0);
  const double weight = 1.0 / ((both ? 2.0 : 1.0) * static_cast<double>(n));
  const at::Tensor candidates_CD = at::cat({batch.b, batch.negatives});
  at::Tensor gradient_a_ND = at::zeros_like(batch.a);
  at::Tensor gradient_candidates_CD = at::zeros_like(candidates_CD);
  const at::Tensor gradient_b_ND = gradient_candidates_CD.narrow(0, 0, n);
  const data::MaskedCells columns = both ? transposed(mask.known) : data::MaskedCells{};
  const std::vector<std::int32_t> domain_b(mask.domain_b.begin(),
                                           mask.domain_b.begin() + static_cast<std::int64_t>(mask.domain_a.size()));
  const Direction forth{batch.a,
                        candidates_CD,
                        {mask.known.row_offsets, mask.known.columns, mask.domain_a, mask.domain_b},
                        scale,
                        weight,
                        gradient_a_ND,
                        gradient_candidates_CD};
  const Direction back{batch.b,      batch.a, {columns.row_offsets, columns.columns, domain_b, mask.domain_a},
                       scale,        weight,  gradient_b_ND,
                       gradient_a_ND};
  const at::TensorOptions number = batch.a.options().dtype(at::kDouble);
  LossShare share{at::zeros({}, number),
                  {gradient_a_ND, gradient_b_ND, gradient_candidates_CD.narrow(0, n, batch.negatives.size(0))},
                  at::zeros({}, number)};
  const at::Tensor host_P = at::tensor(positions, at::kLong);
  const at::Tensor mine_P = kernels::upload(positions, batch.a.device());
  for (std::int64_t first = 0; first < mine_P.size(0); first += kTileRows) {
    const std::int64_t count = std::min(kTileRows, mine_P.size(0) - first);
    const at::Tensor row_I = mine_P.narrow(0, first, count);
    const at::Tensor host_row_I = host_P.narrow(0, first, count);
    const at::Tensor closest_I = kind == LossKind::mnr_plus ? closest_pairs(batch, row_I) : at::Tensor();
    const Tile tile = closest_I.defined() ? Tile{row_I, closest_I, host_row_I, closest_I.cpu()}
                                          : Tile{row_I, row_I, host_row_I, host_row_I};
    add_tile(forth, tile, share);
    if (both) add_tile(back, tile, share);
  }
  return share;
}

}  // namespace coterie::train
