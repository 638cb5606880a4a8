// Sampling of non-co-cited pairs.
#include "data/negatives.h"

#include <algorithm>

#include "data/import_graph.h"

namespace coterie::data {

std::vector<Pair> sample_negatives(std::span<const std::uint32_t> documents, std::span<const Pair> graph,
                                   std::span<const std::uint32_t> text_class, std::uint64_t wanted, RandomKey key) {
  std::vector<Pair> found;
  if (documents.size() < 2 || wanted == 0) return found;
  const auto by_key = [](const Pair& pair, std::uint64_t other) { return pair_key(pair.a, pair.b) < other; };
  const std::uint64_t n = documents.size();
  const Permutation permutation(key, n * n);
  for (std::uint64_t i = 0; i < n * n && found.size() < wanted; ++i) {
    const std::uint64_t cell = permutation(i);
    if (cell / n >= cell % n) continue;
    const Pair pair{documents[cell / n], documents[cell % n], 0};
    if (text_class[pair.a] == text_class[pair.b]) continue;
    const auto known = std::lower_bound(graph.begin(), graph.end(), pair_key(pair.a, pair.b), by_key);
    if (known == graph.end() || known->a != pair.a || known->b != pair.b) found.push_back(pair);
  }
  sort_pairs(found);
  return found;
}

}  // namespace coterie::data
