// Which pairs of a global batch each rank computes.
#pragma once

#include <cstdint>
#include <vector>

#include "data/batch.h"
#include "data/corpus.h"

namespace coterie::data {

/// Positions in the global batch that each rank takes, balanced by tokens, those of hard negatives with their pair.
///
/// The longest pair first, each to the rank with the fewest tokens so far; ties go to the earlier pair and the lower
/// rank. With fewer pairs than ranks some take none.
///
/// @param max_length  documents count with at most this many tokens
/// @return            [ranks] each list ascending; together every position once
[[nodiscard]] std::vector<std::vector<std::int64_t>> share(const Corpus& corpus, const GlobalBatch& batch,
                                                           std::int64_t max_length, std::int64_t ranks);

}  // namespace coterie::data
