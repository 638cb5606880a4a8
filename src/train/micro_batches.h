// Cutting a rank's sequences into pieces that fit the memory.
#pragma once

#include <cstdint>
#include <vector>

#include "data/batch.h"
#include "dist/process_group.h"

namespace coterie::train {

/// Pieces of at most `tokens` tokens (or of one longer sequence), in the order of the sequences.
///
/// Expert layers are collective: the ranks of an expert group agree on the largest number of pieces, and those with
/// fewer get empty ones at the end.
///
/// @param tokens        0: one piece
/// @param expert_group  the ranks that must run the same number of pieces
/// @return              at least one piece; together every sequence once
/// @note collective over the group
[[nodiscard]] std::vector<data::PackedSequences> micro_batches(const data::PackedSequences& sequences,
                                                               std::int64_t tokens,
                                                               const dist::ProcessGroup& expert_group);

}  // namespace coterie::train
