// Co-citation pairs from reference lists and from lists of weighted pairs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/collection.h"

namespace coterie::data {

/// More documents of one collection than any real reference list names; a longer list is an error, since its pairs grow
/// with the square.
inline constexpr std::size_t kMaxReferences = 5000;

/// Most documents of a collection: document numbers are 32 bits wide.
inline constexpr std::size_t kMaxDocuments = 0xFFFFFFFF;

/// The documents that one citing paper cites, in any order; one that stands there twice counts once.
struct ReferenceList {
  std::string citing;                    ///< how a message names the citing paper
  std::vector<std::uint32_t> documents;  ///< indices into the collection
};

/// Every pair of documents that a list cites together; its weight is the number of such lists.
///
/// @return  sorted by (a, b), a < b
/// @throws DataError naming the citing paper if it cites more than `kMaxReferences` documents
[[nodiscard]] std::vector<Pair> co_citations(std::vector<ReferenceList> lists);

/// One number for an unordered pair, ordered as (smaller, larger).
[[nodiscard]] constexpr std::uint64_t pair_key(std::uint32_t a, std::uint32_t b) {
  return a < b ? (std::uint64_t{a} << 32) | b : (std::uint64_t{b} << 32) | a;
}

/// Sorts by (a, b), the order of a collection's pairs.
void sort_pairs(std::vector<Pair>& pairs);

}  // namespace coterie::data
