// Hard negatives from the co-citation graph: near a pair, and never cited together with its first side.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "data/batch.h"
#include "data/corpus.h"

namespace coterie::data {

/// Draws up to `per_pair` hard negatives for each pair (a, b) of a global batch and appends them to it.
///
/// They are partners of b in the graph that were never cited together with a, in the training split. None is a document
/// of the batch, none is drawn twice, and none has the text of one of these: "no document twice in a global batch"
/// holds for them too. A pair whose neighbourhood gives fewer gets fewer; a pair of a query and a document gets none,
/// since the document's partners are queries. Every candidate has the same chance; what is drawn is a function of (key,
/// cursor, batch) alone, hence the same on every rank.
///
/// @param batch  with its pairs, without negatives
/// @par Source
/// Cohan et al. 2020 (arXiv:2004.07180), "cited by the positive but not by the query"; here co-cited.
void add_hard_negatives(const Corpus& corpus, GlobalBatch& batch, std::int64_t per_pair, RandomKey key);

}  // namespace coterie::data
