// Translates options for the loader and the loss.
#include "train/batches.h"

#include "data/masked_cells.h"

namespace coterie::train {

data::LoaderOptions loader_options(const RunOptions& options, const model::ModelSpec& spec, const dist::Mesh& mesh,
                                   const data::Cursor& start) {
  const bool directed = options.loss.kind == LossKind::query_to_document;
  return {.sampler = {options.data.batch_pairs, options.data.window_pairs,
                      directed ? data::Sides::as_stored : data::Sides::random},
          .hard_negatives = options.loss.hard_negatives,
          .key = RandomKey{static_cast<std::uint64_t>(options.seed)}.derive("batches"),
          .share_index = mesh.world().rank(),
          .share_count = mesh.world().size(),
          .max_length = spec.max_length,
          .read_ahead = options.data.read_ahead,
          .start = start};
}

NegativeMask negative_mask(const LossOptions& options, const data::Corpus& corpus, const data::GlobalBatch& batch) {
  NegativeMask mask;
  if (options.mask_known)
    mask.known = data::masked_cells(corpus, batch);
  else
    mask.known.row_offsets.assign(static_cast<std::size_t>(batch.pairs()) + 1, 0);
  if (options.negatives == Negatives::same_domain) {
    mask.domain_a = data::domains_of(corpus, batch.a);
    mask.domain_b = data::domains_of(corpus, data::candidates(batch));
  }
  return mask;
}

}  // namespace coterie::train
