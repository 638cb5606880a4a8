// From collections to the content of a corpus, with a report of what was kept and what was dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "data/collection.h"
#include "data/corpus.h"

namespace coterie::data {

/// The tokenizer as far as a corpus needs it.
struct TextEncoder {
  /// Token ids of a text with [CLS] and [SEP], not truncated. Called from several threads at once.
  std::function<std::vector<std::int32_t>(std::string_view)> encode;
  std::string fingerprint;      ///< which tokenizer it is
  std::int64_t vocabulary = 0;  ///< every id is below it
};

/// How a corpus is built.
struct BuildOptions {
  std::uint32_t min_weight = 1;  ///< least weight of a training pair
  int threads = 2;               ///< for tokenizing; the result does not depend on it
};

/// What one split of one domain holds.
struct SplitReport {
  std::uint64_t documents = 0;
  std::uint64_t pairs = 0;
  std::uint64_t weights[4] = {};  ///< pairs of weight 1, 2, 3, and 4 or more
  std::uint32_t max_weight = 0;
  std::uint64_t negatives = 0;
  std::uint64_t tokens = 0;      ///< over all documents
  std::uint64_t max_tokens = 0;  ///< of the longest document
};

/// What one domain holds, and what was left out of it.
struct DomainReport {
  std::string domain;
  SplitReport splits[kSplits];
  std::uint64_t graph = 0;                                     ///< co-cited pairs, whatever their split
  std::vector<std::pair<std::string, std::uint64_t>> dropped;  ///< reason and pairs, the importer's reasons first
};

/// What `data build` prints.
struct BuildReport {
  std::vector<DomainReport> domains;
  std::vector<std::string> notes;  ///< the importers', and what is unwise about this corpus: too few negatives, ...

  /// Two tables, one of the parts and one of the dropped pairs, and the notes.
  [[nodiscard]] std::string text() const;
  /// The same as JSON: domain -> split -> numbers, and what was dropped.
  [[nodiscard]] std::string json() const;
};

/// A corpus and the report on it.
struct Built {
  CorpusContent content;
  BuildReport report;
};

/// Puts all documents into one numbering, tokenizes them, sorts the pairs into splits and draws the negatives.
///
/// A pair is a positive of the split that both its documents belong to, in training if its weight is at least
/// `min_weight`; the graph keeps all. Validation and test get as many negatives as positives, per domain; where a
/// domain has too few non-co-cited pairs it gets all of them, and the report has a note.
///
/// @param collections  with a split for every document, see `assign_splits`
/// @throws DataError if there is no document, a domain stands twice, or an exception of `encoder.encode`
[[nodiscard]] Built build_content(std::vector<Collection> collections, const TextEncoder& encoder,
                                  const BuildOptions& options, RandomKey key);

}  // namespace coterie::data
