// Cutting a rank's sequences into pieces that fit the memory.
#pragma once

#include <cstdint>
#include <vector>

#include "data/batch.h"
#include "dist/mesh.h"

namespace coterie::train {

/// Pieces of at most `tokens` tokens (or of one longer sequence), in the order of the sequences.
///
/// Expert layers are collective: the ranks of an expert group run the same number of pieces, and those that need fewer
/// get empty ones at the end. Each rank cuts the shares of the others too, so that it need not ask, and each piece
/// knows what the others have at the same time.
///
/// @param batch   with the shares of all ranks of the mesh
/// @param tokens  0: one piece
/// @return        at least one piece; together every sequence of this rank once
/// @throws ShapeError if there is not a share for each rank, or this rank's is not that of its sequences
[[nodiscard]] std::vector<data::PackedSequences> micro_batches(const data::Batch& batch, std::int64_t tokens,
                                                               const dist::MeshShape& mesh);

}  // namespace coterie::train
