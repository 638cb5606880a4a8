// From the embeddings of this rank's pairs to the loss of the global batch and back.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "dist/process_group.h"
#include "train/contrastive_loss.h"

namespace coterie::train {

/// What comes back from the global batch.
struct LossResult {
  double loss = 0.0;            ///< of the global batch, the same on every rank
  at::Tensor gradient;          ///< [2 m, D] with respect to this rank's embeddings, summed over all ranks' shares
  double gradient_scale = 0.0;  ///< of this rank's share
};

/// Gathers the embeddings in global order, computes this rank's share of the loss, and brings the gradients home by a
/// reduce-scatter sum. Not part of any autograd graph: the caller starts backward from `gradient`.
///
/// @param embeddings_BD  [2 m, D], normalised: the a sides in order of `positions`, then the b sides
/// @param positions      this rank's pairs; over all ranks each position of the global batch once
/// @note collective over the world; n D elements travel each way
[[nodiscard]] LossResult loss_stage(const dist::ProcessGroup& world, LossKind kind, const at::Tensor& embeddings_BD,
                                    const std::vector<std::int64_t>& positions, double scale, const NegativeMask& mask);

}  // namespace coterie::train
