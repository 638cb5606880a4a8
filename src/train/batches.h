// What a run asks of the loader, and which cells of a batch are no negatives.
#pragma once

#include "data/corpus.h"
#include "data/loader.h"
#include "dist/mesh.h"
#include "model/model_spec.h"
#include "train/contrastive_loss.h"
#include "train/run_options.h"

namespace coterie::train {

/// The batches of this rank, from `start` on.
[[nodiscard]] data::LoaderOptions loader_options(const RunOptions& options, const model::ModelSpec& spec,
                                                 const dist::Mesh& mesh, const data::Cursor& start);

/// The mask that the loss options ask for; the same on every rank.
[[nodiscard]] NegativeMask negative_mask(const LossOptions& options, const data::Corpus& corpus,
                                         const data::GlobalBatch& batch);

}  // namespace coterie::train
