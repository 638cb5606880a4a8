// Exact nearest neighbours over a whole collection, in blocks, shared among the ranks.
//
// Shape letters: Q queries, N documents, D width of an embedding.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "dist/process_group.h"
#include "eval/top_k.h"

namespace coterie::eval {

/// How a collection is walked.
struct SearchOptions {
  std::size_t depth = 100;            ///< documents kept for each query
  std::int64_t block_rows = 1 << 13;  ///< documents embedded and scored at a time: what bounds the memory
};

/// Gives the embeddings of documents [first, last), [last - first, D], the same on every rank. Collective.
using EmbedBlock = std::function<at::Tensor(std::int64_t first, std::int64_t last)>;

/// The documents with the highest dot product for each query, ties by the lowest document number.
///
/// Every rank takes its share of the queries through all documents, a block at a time, so no embedding outlives its
/// block and nothing is merged. Which products are taken together does not depend on the number of ranks, and they are
/// summed in double before they are rounded to fp32: equal embeddings tie wherever they stand.
///
/// @param queries_QD  fp32, the same on every rank
/// @param documents   N
/// @return            for each query min(depth, N) hits, best first, the same on every rank
/// @throws DataError if a score is not finite
/// @note collective over the group; memory for one block and the hits
[[nodiscard]] std::vector<std::vector<Hit>> search(const at::Tensor& queries_QD, std::int64_t documents,
                                                   const EmbedBlock& embed, const SearchOptions& options,
                                                   const dist::ProcessGroup& group);

/// Deals queries to ranks in blocks, lets each rank answer its own, and gives every rank all answers.
///
/// @param answer  the hits of queries [first, last), one list for each
/// @note collective over the group; `answer` is not
[[nodiscard]] std::vector<std::vector<Hit>> share_queries(
    std::int64_t queries, const dist::ProcessGroup& group,
    const std::function<std::vector<std::vector<Hit>>(std::int64_t first, std::int64_t last)>& answer);

}  // namespace coterie::eval
