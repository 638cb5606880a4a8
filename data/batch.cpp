// Packed sequences taken apart and put together.
#include "data/batch.h"

namespace coterie::data {

SequenceLayout select(const SequenceLayout& from, std::span<const std::size_t> chosen) {
  SequenceLayout layout;
  for (const std::size_t i : chosen) {
    layout.offsets.push_back(layout.offsets.back() + from.offsets[i + 1] - from.offsets[i]);
    layout.domain.push_back(from.domain[i]);
    layout.sequence_index.push_back(from.sequence_index[i]);
    if (!from.expert.empty()) layout.expert.push_back(from.expert[i]);
  }
  return layout;
}

PackedSequences select(const PackedSequences& from, std::span<const std::size_t> chosen) {
  PackedSequences packed{select(static_cast<const SequenceLayout&>(from), chosen), {}, {}};
  packed.tokens.reserve(static_cast<std::size_t>(packed.offsets.back()));
  for (const std::size_t i : chosen)
    packed.tokens.insert(packed.tokens.end(), from.tokens.begin() + from.offsets[i],
                         from.tokens.begin() + from.offsets[i + 1]);
  return packed;
}

std::int64_t Batch::tokens() const {
  std::int64_t tokens = 0;
  for (const SequenceLayout& share : shares) tokens += share.offsets.back();
  return tokens;
}

}  // namespace coterie::data
