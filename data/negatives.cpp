// Sampling of non-co-cited pairs.
#include "data/negatives.h"

#include <algorithm>

#include "data/import_graph.h"

namespace coterie::data {

namespace {

bool allowed(const Pair& pair, const NegativeRules& rules) {
  if (rules.text_class[pair.a] == rules.text_class[pair.b]) return false;
  const auto by_key = [](const Pair& known, std::uint64_t other) { return pair_key(known.a, known.b) < other; };
  const auto known = std::lower_bound(rules.graph.begin(), rules.graph.end(), pair_key(pair.a, pair.b), by_key);
  return known == rules.graph.end() || known->a != pair.a || known->b != pair.b;
}

// Walks a keyed permutation of the cells of a matrix; a pair counts where its sides are in order.
template <class PairOf>
std::vector<Pair> sample_cells(std::uint64_t cells, const NegativeRules& rules, RandomKey key, const PairOf& pair_of) {
  std::vector<Pair> found;
  if (cells == 0 || rules.wanted == 0) return found;
  const Permutation permutation(key, cells);
  for (std::uint64_t i = 0; i < cells && found.size() < rules.wanted; ++i) {
    const Pair pair = pair_of(permutation(i));
    if (pair.a < pair.b && allowed(pair, rules)) found.push_back(pair);
  }
  sort_pairs(found);
  return found;
}

}  // namespace

std::vector<Pair> sample_negatives(std::span<const std::uint32_t> documents, const NegativeRules& rules,
                                   RandomKey key) {
  const std::uint64_t n = documents.size();
  return sample_cells(n * n, rules, key, [&](std::uint64_t cell) {
    return Pair{documents[cell / n], documents[cell % n], 0};
  });
}

std::vector<Pair> sample_negatives_between(std::span<const std::uint32_t> queries,
                                           std::span<const std::uint32_t> documents, const NegativeRules& rules,
                                           RandomKey key) {
  const std::uint64_t n = documents.size();
  return sample_cells(queries.size() * n, rules, key, [&](std::uint64_t cell) {
    const std::uint32_t query = queries[cell / n];
    const std::uint32_t document = documents[cell % n];
    return Pair{std::min(query, document), std::max(query, document), 0};
  });
}

}  // namespace coterie::data
