// Random pairs of documents that were never cited together: the other half of validation and test.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "data/collection.h"

namespace coterie::data {

/// Which pairs may be drawn, and how many.
struct NegativeRules {
  std::span<const Pair> graph;                ///< every co-cited pair, sorted by (a, b)
  std::span<const std::uint32_t> text_class;  ///< [N] of every document: equal texts have equal classes
  std::uint64_t wanted = 0;                   ///< number of pairs
};

/// Draws distinct pairs of `documents` that are neither co-cited nor of equal text, each such pair with equal chance.
///
/// Walks a keyed permutation of all pairs, so it ends after at most n^2 steps and finds every pair there is.
///
/// @param documents  document numbers, ascending
/// @return           `rules.wanted` pairs, or all if there are fewer; sorted by (a, b), weight 0
[[nodiscard]] std::vector<Pair> sample_negatives(std::span<const std::uint32_t> documents, const NegativeRules& rules,
                                                 RandomKey key);

/// The same for pairs of a query and a document.
/// @param queries, documents  document numbers, none in both
[[nodiscard]] std::vector<Pair> sample_negatives_between(std::span<const std::uint32_t> queries,
                                                         std::span<const std::uint32_t> documents,
                                                         const NegativeRules& rules, RandomKey key);

}  // namespace coterie::data
