// The partners of b without those of a, in keyed order.
#include "data/hard_negatives.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <span>
#include <vector>

namespace coterie::data {
namespace {

// Partners of `positive` in the training split that are no partners of `anchor`, ascending. A document of every
// split has queries for partners, which are no candidates of a query.
std::vector<std::uint32_t> neighbours(const Corpus& corpus, std::uint32_t anchor, std::uint32_t positive) {
  if (corpus.split(positive) == Split::every) return {};
  const std::span<const std::uint32_t> near = corpus.partners(positive);
  const std::span<const std::uint32_t> known = corpus.partners(anchor);
  std::vector<std::uint32_t> found;
  std::set_difference(near.begin(), near.end(), known.begin(), known.end(), std::back_inserter(found));
  found.erase(std::remove_if(found.begin(), found.end(), [&](auto d) { return corpus.split(d) != Split::train; }),
              found.end());
  return found;
}

}  // namespace

void add_hard_negatives(const Corpus& corpus, GlobalBatch& batch, std::int64_t per_pair, RandomKey key) {
  if (per_pair == 0) return;
  const RandomKey here = key.derive(static_cast<std::uint64_t>(batch.cursor.epoch))
                             .derive(static_cast<std::uint64_t>(batch.cursor.window))
                             .derive(static_cast<std::uint64_t>(batch.cursor.batch));
  std::set<std::uint32_t> texts;  // of the documents in the batch; equal documents have equal texts
  for (const auto* side : {&batch.a, &batch.b})
    for (const std::uint32_t document : *side) texts.insert(corpus.text_class(document));
  for (std::size_t i = 0; i < batch.a.size(); ++i) {
    const std::vector<std::uint32_t> near = neighbours(corpus, batch.a[i], batch.b[i]);
    if (near.empty()) continue;
    const Permutation order(here.derive(i), near.size());
    std::int64_t missing = per_pair;
    for (std::uint64_t k = 0; k < near.size() && missing > 0; ++k) {
      const std::uint32_t document = near[order(k)];
      if (!texts.insert(corpus.text_class(document)).second) continue;
      batch.negatives.push_back(document);
      batch.negative_of.push_back(static_cast<std::int64_t>(i));
      --missing;
    }
  }
}

}  // namespace coterie::data
