// Random pairs of documents that were never cited together: the other half of validation and test.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "data/collection.h"

namespace coterie::data {

/// Draws distinct pairs of `documents` that are neither co-cited nor of equal text, each such pair with equal chance.
///
/// Walks a keyed permutation of all pairs, so it ends after at most n^2 steps and finds every pair there is.
///
/// @param documents   document numbers, ascending
/// @param graph       every co-cited pair, sorted by (a, b)
/// @param text_class  [N] of every document: equal texts have equal classes
/// @param wanted      number of pairs
/// @return            `wanted` pairs, or all if there are fewer; sorted by (a, b), weight 0
[[nodiscard]] std::vector<Pair> sample_negatives(std::span<const std::uint32_t> documents, std::span<const Pair> graph,
                                                 std::span<const std::uint32_t> text_class, std::uint64_t wanted,
                                                 RandomKey key);

}  // namespace coterie::data
