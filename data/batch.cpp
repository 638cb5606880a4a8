// Packed sequences taken apart and put together.
#include "data/batch.h"

namespace coterie::data {

PackedSequences select(const PackedSequences& from, std::span<const std::size_t> chosen) {
  PackedSequences packed;
  for (const std::size_t i : chosen) {
    packed.tokens.insert(packed.tokens.end(), from.tokens.begin() + from.offsets[i],
                         from.tokens.begin() + from.offsets[i + 1]);
    packed.offsets.push_back(static_cast<std::int64_t>(packed.tokens.size()));
    packed.domain.push_back(from.domain[i]);
    packed.sequence_index.push_back(from.sequence_index[i]);
    if (!from.expert.empty()) packed.expert.push_back(from.expert[i]);
  }
  return packed;
}

}  // namespace coterie::data
