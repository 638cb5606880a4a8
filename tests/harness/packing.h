// Packed batches from texts or ids, for tests that need no corpus.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/tokenizer.h"

namespace coterie::test {

/// Appends one sequence, cut to `max_length` with its last id kept.
inline void append(data::PackedSequences& packed, std::vector<std::int32_t> ids, std::int64_t max_length,
                   std::int32_t domain, std::int64_t index) {
  if (static_cast<std::int64_t>(ids.size()) > max_length) {
    ids[static_cast<std::size_t>(max_length) - 1] = ids.back();
    ids.resize(static_cast<std::size_t>(max_length));
  }
  packed.tokens.insert(packed.tokens.end(), ids.begin(), ids.end());
  packed.offsets.push_back(static_cast<std::int64_t>(packed.tokens.size()));
  packed.domain.push_back(domain);
  packed.sequence_index.push_back(index);
}

/// All texts as sequences 0, 1, 2, ... without a domain.
inline data::PackedSequences pack_texts(const data::Tokenizer& tokenizer, const std::vector<std::string>& texts,
                                        std::int64_t max_length) {
  data::PackedSequences packed;
  for (const std::string& text : texts) append(packed, tokenizer.encode(text), max_length, -1, packed.sequences());
  return packed;
}

/// The batch of one rank, told what every rank has: `make(rank)` is that of each.
template <class Make>
data::Batch dealt(std::int64_t rank, std::int64_t ranks, const Make& make) {
  data::Batch batch = make(rank);
  for (std::int64_t other = 0; other < ranks; ++other) {
    const data::Batch of_other = make(other);
    batch.shares.emplace_back(of_other.sequences);
  }
  return batch;
}

}  // namespace coterie::test
