// The blocks of threads that attention runs on.
#pragma once

#include "kernels/gpu/launch.h"
#include "kernels/gpu/warp.cuh"

namespace coterie::kernels::gpu {

/// One block for each `block_rows` neighbouring rows of a head of a sequence; where there are more sequences than a
/// grid has blocks in its third direction, a block takes several.
template <class Stored>
dim3 attention_grid(const Attention<Stored>& batch, std::int64_t block_rows) {
  constexpr std::int64_t kMost = 65535;
  return {blocks(batch.longest, block_rows), static_cast<unsigned>(batch.heads),
          static_cast<unsigned>(batch.sequences < kMost ? batch.sequences : kMost)};
}

}  // namespace coterie::kernels::gpu
