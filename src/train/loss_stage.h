// From the embeddings of this rank's sequences to the loss of the global batch and back.
#pragma once

#include <ATen/core/Tensor.h>

#include "data/batch.h"
#include "dist/process_group.h"
#include "train/batch_loss.h"

namespace coterie::train {

/// What comes back from the global batch, all where the embeddings are.
struct LossResult {
  at::Tensor loss;            ///< [] double, of the global batch, the same on every rank
  at::Tensor gradient;        ///< [B, D] with respect to this rank's embeddings, summed over all ranks' shares
  at::Tensor gradient_scale;  ///< [] double, of this rank's share
};

/// Gathers the embeddings in global order, computes this rank's share of the loss, and brings the gradients home by a
/// reduce-scatter sum. Not part of any autograd graph: the caller starts backward from `gradient`.
///
/// @param embeddings_BD  [B, D] of the batch's sequences, normalised where the loss compares by cosine
/// @param batch          over all ranks, each pair and each hard negative once
/// @param scale          of the similarities
/// @throws ShapeError if a sequence is held twice or is none of the global batch
/// @note collective over the world; (2 n + h) D elements travel each way
[[nodiscard]] LossResult loss_stage(const dist::ProcessGroup& world, const BatchLoss& loss,
                                    const at::Tensor& embeddings_BD, const data::Batch& batch, double scale,
                                    const NegativeMask& mask);

}  // namespace coterie::train
