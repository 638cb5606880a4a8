// The memory of tensors: blocks on huge pages that are kept when a tensor dies.
#pragma once

#include <cstddef>

namespace coterie::kernels {

/// What the cache holds, in bytes.
struct BlockUse {
  std::size_t live = 0;  ///< of blocks in use
  std::size_t idle = 0;  ///< of blocks that wait for the next tensor
};

/// Makes ATen take the memory of CPU tensors from the cache; called once, before the first tensor.
///
/// A step frees what the next one needs again, and a fresh page costs more than a pass over it; the number of tokens
/// differs from step to step, so that a heap of exact fits falls to pieces. Here tensors of 2 MiB and more lie on huge
/// pages where the system grants them (a row of hidden values fills a small page, and a product walks down many rows).
/// A block's address space is a power of two, of which only what a tensor used has pages; freed it waits. Live and
/// waiting blocks together stay below 9/8 of what was live at most; beyond, or after a few steps without a use,
/// those that wait longest go back to the system.
///
/// A tensor for which there is no memory throws IoError.
void use_block_cache();

[[nodiscard]] BlockUse block_use();

}  // namespace coterie::kernels
