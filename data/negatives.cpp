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

}  // namespace

std::vector<Pair> sample_negatives(std::span<const std::uint32_t> documents, const NegativeRules& rules,
                                   RandomKey key) {
  std::vector<Pair> found;
  if (documents.size() < 2 || rules.wanted == 0) return found;
  const std::uint64_t n = documents.size();
  const Permutation permutation(key, n * n);
  for (std::uint64_t i = 0; i < n * n && found.size() < rules.wanted; ++i) {
    const std::uint64_t cell = permutation(i);
    if (cell / n >= cell % n) continue;
    const Pair pair{documents[cell / n], documents[cell % n], 0};
    if (allowed(pair, rules)) found.push_back(pair);
  }
  sort_pairs(found);
  return found;
}

std::vector<Pair> sample_negatives_between(std::span<const std::uint32_t> queries,
                                           std::span<const std::uint32_t> documents, const NegativeRules& rules,
                                           RandomKey key) {
  std::vector<Pair> found;
  const std::uint64_t cells = std::uint64_t{queries.size()} * documents.size();
  if (cells == 0 || rules.wanted == 0) return found;
  const Permutation permutation(key, cells);
  for (std::uint64_t i = 0; i < cells && found.size() < rules.wanted; ++i) {
    const std::uint64_t cell = permutation(i);
    const std::uint32_t query = queries[cell / documents.size()];
    const std::uint32_t document = documents[cell % documents.size()];
    const Pair pair{std::min(query, document), std::max(query, document), 0};
    if (allowed(pair, rules)) found.push_back(pair);
  }
  sort_pairs(found);
  return found;
}

}  // namespace coterie::data
