// What a corpus holds in memory, how it is named in the file, and the rules it obeys: one place for reader and writer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/collection.h"

namespace coterie::data {

inline constexpr const char* kCorpusFormat = "coterie-corpus";
inline constexpr std::uint64_t kCorpusVersion = 1;
/// Up to this vocabulary, ids are stored in 16 bits, above it in 32.
inline constexpr std::uint64_t kMaxNarrowVocabulary = 65536;
/// In the place of an expert's number.
inline constexpr std::uint16_t kNoExpert = 65535;
/// Of one document; what a reader allocates for a text stays below it.
inline constexpr std::uint64_t kMaxTextBytes = 16 << 20;

/// Everything of a corpus but its texts and token ids.
struct CorpusTables {
  std::vector<std::string> domains;
  std::vector<std::string> ids;                ///< [N] each once
  std::vector<std::uint16_t> domain;           ///< [N] index into `domains`
  std::vector<Split> split;                    ///< [N]
  std::vector<std::uint16_t> expert;           ///< [N] kNoExpert or below kMostNamedExperts; empty: none is named
  std::vector<std::uint32_t> text_class;       ///< [N] first document with the same text
  std::vector<std::uint64_t> text_offsets;     ///< [N + 1] into the bytes of all texts
  std::vector<std::uint64_t> token_offsets;    ///< [N + 1] into the ids of all documents
  std::vector<std::uint64_t> partner_offsets;  ///< [N + 1] into `partners`
  std::vector<std::uint32_t> partners;         ///< both directions of each co-cited pair, ascending per document
  std::vector<std::uint32_t> partner_weights;  ///< beside `partners`
  std::vector<Pair> positives[kSplits];        ///< sorted by (a, b), each once, weight >= 1
  std::vector<Pair> negatives[kSplits];        ///< sorted by (a, b), each once, weight 0
  std::string tokenizer;
  std::uint64_t vocabulary = 0;
};

/// For each text the number of the first one equal to it.
[[nodiscard]] std::vector<std::uint32_t> text_classes(const std::vector<std::string>& texts);

/// Name of a split's pairs in the file, for example `/pairs/positives/train`.
[[nodiscard]] std::string pairs_name(const char* kind, Split split);

/// Checks every rule that the tables obey among themselves.
///
/// @param where         the file, for messages
/// @param text_bytes    bytes of all texts
/// @param token_count   ids of all documents
/// @throws DataError naming file and dataset, what was found and what was expected
void validate(const CorpusTables& tables, const std::string& where, std::uint64_t text_bytes,
              std::uint64_t token_count);

}  // namespace coterie::data
