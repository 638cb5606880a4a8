// Embeds many texts, sharing them among the ranks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "data/batch.h"
#include "dist/mesh.h"
#include "model/encoder.h"

namespace coterie::eval {

/// Embeds every sequence, in batches of similar length dealt to the ranks in turn.
///
/// Ranks run the same number of batches, the last ones empty, because expert layers are collective. An embedding does
/// not depend on its batch mates.
///
/// @param texts         the same on every rank
/// @param batch_tokens  tokens embedded at a time on each rank
/// @param key           of what random routes draw for each `sequence_index`
/// @return              [N, D], the same on every rank, where the encoder lies
/// @note collective over the world
[[nodiscard]] at::Tensor embed_all(const model::Encoder& encoder, const data::PackedSequences& texts,
                                   std::int64_t batch_tokens, const dist::Mesh& mesh, RandomKey key);

}  // namespace coterie::eval
