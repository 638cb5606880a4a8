// Exact nearest neighbours over a whole collection, in blocks, shared among the ranks.
//
// Shape letters: Q queries, N documents, D width of an embedding.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "dist/process_group.h"
#include "eval/top_k.h"

namespace coterie::eval {

/// The documents with the highest dot product for each query, ties by the lowest number, kept while the blocks of an
/// index pass by.
///
/// Every rank takes its share of the queries through all documents, so no embedding outlives its block and nothing is
/// merged. Which products are taken together does not depend on the number of ranks, and they are summed in double
/// before they are rounded to fp32: equal embeddings tie wherever they stand.
class Search {
 public:
  /// Begins with no documents.
  /// @param queries_QD  fp32, the same on every rank
  /// @param depth       documents kept for each query
  Search(at::Tensor queries_QD, std::size_t depth, const dist::ProcessGroup& group);

  /// Scores documents for this rank's queries and keeps the best.
  /// @param block_ND  embeddings of documents, fp32, the same on every rank
  /// @param numbers   [N] theirs in the index, each of which is offered once
  /// @throws DataError if a score is not finite; ShapeError if rows, numbers or dimensions do not fit
  void offer(const at::Tensor& block_ND, std::span<const std::uint32_t> numbers);

  /// For each query the hits that were kept, best first, the same on every rank; the object is empty afterwards.
  /// @note collective over the group
  [[nodiscard]] std::vector<std::vector<Hit>> take();

 private:
  at::Tensor queries_QD_;
  const dist::ProcessGroup& group_;
  std::vector<std::vector<TopK>> best_;  // of this rank's blocks of queries
};

/// Deals queries to ranks in blocks, lets each rank answer its own, and gives every rank all answers.
///
/// @param answer  the hits of queries [first, last), one list for each
/// @note collective over the group; `answer` is not
[[nodiscard]] std::vector<std::vector<Hit>> share_queries(
    std::int64_t queries, const dist::ProcessGroup& group,
    const std::function<std::vector<std::vector<Hit>>(std::int64_t first, std::int64_t last)>& answer);

}  // namespace coterie::eval
