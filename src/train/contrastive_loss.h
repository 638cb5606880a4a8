// The contrastive losses over the global batch, each rank differentiating its own share.
//
// Shape letters: n pairs in the global batch, h hard negatives in it, m pairs of this rank, D embedding width.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "data/masked_cells.h"
#include "train/options.h"

namespace coterie::train {

/// What leaves the denominators: known co-cited cells, and cells of two domains where only one domain's are wanted.
struct NegativeMask {
  data::MaskedCells known;             ///< cells (i, j), j != i; those with j < n in both denominators they stand in
  std::vector<std::int32_t> domain_a;  ///< [n]; empty: negatives of all domains
  std::vector<std::int32_t> domain_b;  ///< [n + h], of the b sides and then the hard negatives
};

/// The embeddings of a global batch in global order, or gradients with respect to them.
struct Embeddings {
  at::Tensor a;          ///< [n, D]
  at::Tensor b;          ///< [n, D]
  at::Tensor negatives;  ///< [h, D]
};

/// One rank's share of loss and gradients, all where the embeddings are; summed over the ranks they are those of the
/// whole.
struct LossShare {
  at::Tensor loss;            ///< [] double, part of the mean over all rows (and columns)
  Embeddings gradient;        ///< of the share with respect to every embedding
  at::Tensor gradient_scale;  ///< [] double
};

/// A contrastive loss of `kind`. With s the scale, c_j the candidates (all b, then the hard negatives) and t_i the
/// target of row i:
///
/// - `mnr`, `query_to_document`: mean_i(log sum_j exp(s a_i c_j) - s a_i c_i).
/// - `symmetric`: the mean of that and mean_i(log sum_j exp(s b_i a_j) - s b_i a_i). The hard negatives of a pair were
///   drawn for its a side: only the rows of a see them.
/// - `mnr_plus`: both directions, with c_t and a_t in place of the targets, t_i = argmax_j(a_i a_j + b_i b_j). Vectors
///   of length one have t_i = i, because no product exceeds that of a vector with itself; others need not. Only a j
///   that exceeds i by more than rounding, 1e-5 of it, is taken. t is held constant.
///
/// The share of a rank are the row terms of its a_i and the column terms of its b_i over the global count. Cells are
/// computed in tiles of rows: no [n, n] matrix exists. The cell of a pair and the target of a row are never masked.
///
/// @param positions  this rank's pairs, ascending
/// @par Source
/// Oord et al. 2018 (arXiv:1807.03748); `mnr_plus`: arXiv:2401.15713, `query_to_document`: arXiv:2412.11864. The tiles
/// follow Inf-CL (arXiv:2410.17243). Masking by the graph is ours.
[[nodiscard]] LossShare contrastive_loss(LossKind kind, const Embeddings& batch,
                                         const std::vector<std::int64_t>& positions, double scale,
                                         const NegativeMask& mask);

}  // namespace coterie::train
