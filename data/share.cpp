// Longest first, always to the lightest rank.
#include "data/share.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <utility>

#include "base/error.h"

namespace coterie::data {

std::vector<std::vector<std::int64_t>> share(const Corpus& corpus, const GlobalBatch& batch, std::int64_t max_length,
                                             std::int64_t ranks) {
  COTERIE_CHECK(ShapeError, ranks >= 1, "share: expected at least 1 rank, got ", ranks);
  std::vector<std::int64_t> cost(batch.a.size());
  for (std::size_t i = 0; i < cost.size(); ++i)
    cost[i] = std::min(corpus.length(batch.a[i]), max_length) + std::min(corpus.length(batch.b[i]), max_length);
  for (std::size_t k = 0; k < batch.negatives.size(); ++k)
    cost[static_cast<std::size_t>(batch.negative_of[k])] += std::min(corpus.length(batch.negatives[k]), max_length);
  std::vector<std::size_t> order(cost.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) { return cost[x] > cost[y]; });

  using Load = std::pair<std::int64_t, std::size_t>;  // tokens so far, rank
  std::priority_queue<Load, std::vector<Load>, std::greater<>> lightest;
  for (std::size_t rank = 0; rank < static_cast<std::size_t>(ranks); ++rank) lightest.emplace(0, rank);
  std::vector<std::vector<std::int64_t>> shares(static_cast<std::size_t>(ranks));
  for (const std::size_t position : order) {
    const auto [tokens, rank] = lightest.top();
    lightest.pop();
    shares[rank].push_back(static_cast<std::int64_t>(position));
    lightest.emplace(tokens + cost[position], rank);
  }
  for (auto& positions : shares) std::sort(positions.begin(), positions.end());
  return shares;
}

}  // namespace coterie::data
