// Counting co-citations by sorting.
#include "data/import_graph.h"

#include <algorithm>

#include "base/error.h"

namespace coterie::data {

std::vector<Pair> co_citations(std::vector<ReferenceList> lists) {
  std::vector<std::uint64_t> keys;
  for (ReferenceList& list : lists) {
    auto& cited = list.documents;
    std::sort(cited.begin(), cited.end());
    cited.erase(std::unique(cited.begin(), cited.end()), cited.end());
    if (cited.size() > kMaxReferences)
      throw DataError(str("import: a paper may cite at most ", kMaxReferences, " documents of a collection, ",
                          list.citing, " cites ", cited.size()));
    for (std::size_t i = 0; i < cited.size(); ++i)
      for (std::size_t j = i + 1; j < cited.size(); ++j) keys.push_back(pair_key(cited[i], cited[j]));
  }
  std::sort(keys.begin(), keys.end());

  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < keys.size();) {
    std::size_t end = i;
    while (end < keys.size() && keys[end] == keys[i]) ++end;
    pairs.push_back({static_cast<std::uint32_t>(keys[i] >> 32), static_cast<std::uint32_t>(keys[i]),
                     static_cast<std::uint32_t>(end - i)});
    i = end;
  }
  return pairs;
}

void sort_pairs(std::vector<Pair>& pairs) {
  std::sort(pairs.begin(), pairs.end(),
            [](const Pair& x, const Pair& y) { return pair_key(x.a, x.b) < pair_key(y.a, y.b); });
}

}  // namespace coterie::data
