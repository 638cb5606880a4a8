// The contrastive loss over the global batch, each rank differentiating its own share.
//
// Shape letters: n pairs in the global batch, m pairs of this rank, D embedding width.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "data/masked_cells.h"
#include "train/options.h"

namespace coterie::train {

/// What leaves the denominators: known co-cited cells, and cells of two domains where only one domain's are wanted.
struct NegativeMask {
  data::MaskedCells known;             ///< cells (i, j), j != i, in both denominators they stand in
  std::vector<std::int32_t> domain_a;  ///< [n]; empty: negatives of all domains
  std::vector<std::int32_t> domain_b;  ///< [n]
};

/// One rank's share of loss and gradients; summed over the ranks they are those of the whole.
struct LossShare {
  double loss = 0.0;      ///< part of the mean over all rows (and columns)
  at::Tensor gradient_a;  ///< [n, D] of the share with respect to every a
  at::Tensor gradient_b;  ///< [n, D]
  double gradient_scale = 0.0;
};

/// The loss mean_i(log sum_j exp(s a_i b_j) - s a_i b_i), and for `symmetric` the mean of it and its transpose.
///
/// The share of a rank are the row terms of its a_i and the column terms of its b_i over the global count. Cells are
/// computed in tiles of rows: no [n, n] matrix exists. The target cell of a row or column is never masked.
///
/// @param a, b       [n, D] embeddings of all pairs in global order, L2-normalised
/// @param positions  this rank's pairs, ascending
/// @param scale      s
/// @par Source
/// Oord et al. 2018 (arXiv:1807.03748); the tiles follow Inf-CL (arXiv:2410.17243). Masking by the graph is ours.
[[nodiscard]] LossShare contrastive_loss(LossKind kind, const at::Tensor& a, const at::Tensor& b,
                                         const std::vector<std::int64_t>& positions, double scale,
                                         const NegativeMask& mask);

}  // namespace coterie::train
