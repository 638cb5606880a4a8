// Blocks of queries times blocks of documents.
#include "eval/search.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>
#include <utility>

#include "base/error.h"

namespace coterie::eval {
namespace {

// Of a fixed size, so that every product has the same shape whatever the number of ranks.
constexpr std::int64_t kQueryBlock = 64;

/// Queries [first, last).
struct QueryBlock {
  std::int64_t first;
  std::int64_t last;
};

std::vector<QueryBlock> blocks_of_rank(std::int64_t queries, std::int64_t rank, std::int64_t ranks) {
  std::vector<QueryBlock> blocks;
  for (std::int64_t first = rank * kQueryBlock; first < queries; first += ranks * kQueryBlock)
    blocks.push_back({first, std::min(first + kQueryBlock, queries)});
  return blocks;
}

// The hits of all ranks, which hold the queries of `blocks_of_rank` in turn.
std::vector<std::vector<Hit>> gather(std::int64_t queries, const std::vector<std::vector<Hit>>& mine,
                                     const dist::ProcessGroup& group) {
  dist::Splits counts;
  std::vector<std::int64_t> order;
  for (std::int64_t rank = 0; rank < group.size(); ++rank) {
    const std::size_t before = order.size();
    for (const QueryBlock& block : blocks_of_rank(queries, rank, group.size()))
      for (std::int64_t query = block.first; query < block.last; ++query) order.push_back(query);
    counts.push_back(static_cast<std::int64_t>(order.size() - before));
  }
  const auto widest =
      std::max_element(mine.begin(), mine.end(), [](const auto& x, const auto& y) { return x.size() < y.size(); });
  const std::int64_t depth =
      group.all_reduce(widest == mine.end() ? 0 : static_cast<std::int64_t>(widest->size()), dist::Reduce::max);
  const auto rows = static_cast<std::int64_t>(mine.size());
  const at::Tensor scores = at::zeros({rows, depth}, at::kFloat);
  const at::Tensor documents = at::full({rows, depth}, -1, at::kLong);
  for (std::size_t i = 0; i < mine.size(); ++i) {
    for (std::size_t j = 0; j < mine[i].size(); ++j) {
      const auto at = static_cast<std::int64_t>(i) * depth + static_cast<std::int64_t>(j);
      scores.mutable_data_ptr<float>()[at] = mine[i][j].score;
      documents.mutable_data_ptr<std::int64_t>()[at] = mine[i][j].document;
    }
  }
  const at::Tensor all_scores = group.all_gather(scores, counts);
  const at::Tensor all_documents = group.all_gather(documents, counts);
  std::vector<std::vector<Hit>> hits(static_cast<std::size_t>(queries));
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::int64_t j = 0; j < depth; ++j) {
      const std::int64_t at = static_cast<std::int64_t>(i) * depth + j;
      const std::int64_t document = all_documents.const_data_ptr<std::int64_t>()[at];
      if (document < 0) break;
      hits[static_cast<std::size_t>(order[i])].push_back(
          {all_scores.const_data_ptr<float>()[at], static_cast<std::uint32_t>(document)});
    }
  }
  return hits;
}

// Offers every document of a block to every query of one.
void offer_block(const at::Tensor& queries_QD, const at::Tensor& documents_DN, std::span<const std::uint32_t> numbers,
                 std::span<TopK> best) {
  const at::Tensor scores_QN = at::mm(queries_QD, documents_DN);
  const double* score = scores_QN.const_data_ptr<double>();
  for (TopK& top : best) {
    for (const std::uint32_t number : numbers) {
      if (!std::isfinite(*score))
        throw DataError(str("search: a score must be finite, got ", *score, " (document ", number, ")"));
      top.offer({static_cast<float>(*score), number});
      ++score;
    }
  }
}

}  // namespace

Search::Search(at::Tensor queries_QD, std::size_t depth, const dist::ProcessGroup& group)
    : queries_QD_(std::move(queries_QD)), group_(group) {
  for (const QueryBlock& block : blocks_of_rank(queries_QD_.size(0), group_.rank(), group_.size()))
    best_.emplace_back(static_cast<std::size_t>(block.last - block.first), TopK(depth));
}

void Search::offer(const at::Tensor& block_ND, std::span<const std::uint32_t> numbers) {
  COTERIE_CHECK(
      ShapeError,
      block_ND.size(0) == static_cast<std::int64_t>(numbers.size()) && block_ND.size(1) == queries_QD_.size(1),
      "search: embeddings must be [", numbers.size(), ", ", queries_QD_.size(1), "], got ", block_ND.sizes());
  const at::Tensor documents_DN = block_ND.to(at::kDouble).t();
  const auto blocks = blocks_of_rank(queries_QD_.size(0), group_.rank(), group_.size());
  for (std::size_t i = 0; i < blocks.size(); ++i)
    offer_block(queries_QD_.slice(0, blocks[i].first, blocks[i].last).to(at::kDouble), documents_DN, numbers, best_[i]);
}

std::vector<std::vector<Hit>> Search::take() {
  std::vector<std::vector<Hit>> mine;
  for (std::vector<TopK>& block : best_)
    for (TopK& top : block) mine.push_back(top.take());
  return gather(queries_QD_.size(0), mine, group_);
}

std::vector<std::vector<Hit>> share_queries(
    std::int64_t queries, const dist::ProcessGroup& group,
    const std::function<std::vector<std::vector<Hit>>(std::int64_t first, std::int64_t last)>& answer) {
  std::vector<std::vector<Hit>> mine;
  for (const QueryBlock& block : blocks_of_rank(queries, group.rank(), group.size())) {
    auto answered = answer(block.first, block.last);
    std::move(answered.begin(), answered.end(), std::back_inserter(mine));
  }
  return gather(queries, mine, group);
}

}  // namespace coterie::eval
