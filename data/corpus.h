// corpus.h5: texts, token ids, domains, splits, pairs and the co-citation graph of a corpus.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/collection.h"

namespace coterie {
class FileOps;
}

namespace coterie::data {

/// A corpus as it is written: documents of all domains in one numbering, in order of domain.
struct CorpusContent {
  std::vector<std::string> domains;
  std::vector<std::string> ids;                   ///< [N] "domain:id"
  std::vector<std::string> texts;                 ///< [N] UTF-8
  std::vector<std::uint16_t> domain;              ///< [N]
  std::vector<Split> split;                       ///< [N]
  std::vector<std::int32_t> expert;               ///< [N] the expert named for each, -1 for none; empty: none was
  std::vector<std::vector<std::int32_t>> tokens;  ///< [N] with [CLS] and [SEP], not truncated
  std::vector<Pair> graph;                        ///< every co-cited pair, sorted by (a, b)
  std::vector<Pair> positives[kSplits];           ///< pairs whose documents share a split (train: weight >= min_weight)
  std::vector<Pair> negatives[kSplits];           ///< validation and test: as many random non-co-cited pairs
  std::string tokenizer;                          ///< fingerprint: which tokenizer made the ids
  std::int64_t vocabulary = 0;                    ///< every id is below it
};

/// Writes `path` whole or not at all (temporary file, fsync, rename). Pairs are stored in ascending order.
/// @throws DataError, IoError; what was there before then stays
void write_corpus(const std::filesystem::path& path, const CorpusContent& content);
/// The same through given file operations.
void write_corpus(FileOps& ops, const std::filesystem::path& path, const CorpusContent& content);

/// An open corpus. Everything but texts and token ids is in memory; those are read on demand.
///
/// Not thread-safe: each thread opens its own.
class Corpus {
 public:
  /// @throws DataError naming file, dataset, what was found and what was expected
  explicit Corpus(const std::filesystem::path& path);
  Corpus(Corpus&&) noexcept;
  Corpus& operator=(Corpus&&) noexcept;
  ~Corpus();

  [[nodiscard]] const std::filesystem::path& path() const;
  [[nodiscard]] std::int64_t documents() const;
  [[nodiscard]] const std::vector<std::string>& domains() const;
  [[nodiscard]] std::int32_t domain(std::uint32_t document) const;
  [[nodiscard]] Split split(std::uint32_t document) const;
  /// Whether experts are named for documents.
  [[nodiscard]] bool names_experts() const;
  /// The expert named for a document of a corpus that `names_experts`; -1: none.
  [[nodiscard]] std::int32_t expert(std::uint32_t document) const;
  /// Tokens of the untruncated document, [CLS] and [SEP] included.
  [[nodiscard]] std::int64_t length(std::uint32_t document) const;
  /// Documents of equal text have equal classes, others different ones.
  [[nodiscard]] std::uint32_t text_class(std::uint32_t document) const;
  [[nodiscard]] const std::string& id(std::uint32_t document) const;
  [[nodiscard]] std::string text(std::uint32_t document) const;
  [[nodiscard]] const std::string& tokenizer() const;
  [[nodiscard]] std::int64_t vocabulary() const;

  [[nodiscard]] const std::vector<Pair>& positives(Split split) const;
  [[nodiscard]] const std::vector<Pair>& negatives(Split split) const;
  /// Whether the two were ever cited together, with any weight, in any split.
  [[nodiscard]] bool co_cited(std::uint32_t a, std::uint32_t b) const;
  /// Partners of a document, ascending.
  [[nodiscard]] std::span<const std::uint32_t> partners(std::uint32_t document) const;

  /// How many papers cite the document and each of its partners, in the order of `partners`.
  [[nodiscard]] std::span<const std::uint32_t> partner_weights(std::uint32_t document) const;

  /// Appends the ids of a document, cut to `max_length` (at least 2) with its last id ([SEP]) kept.
  void read_tokens(std::uint32_t document, std::int64_t max_length, std::vector<std::int32_t>& out) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace coterie::data
