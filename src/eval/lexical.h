// Baselines that count words: TF-IDF and BM25, for pairs and for retrieval.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dist/process_group.h"
#include "eval/options.h"
#include "eval/pair_classification.h"
#include "eval/retrieval.h"

namespace coterie::eval {

/// What a term of a text weighs.
struct TermWeight {
  std::uint32_t term = 0;
  double weight = 0;
};

/// The weights of a text, ascending by term, each once.
using TermVector = std::vector<TermWeight>;

/// A text in both its roles.
struct TextVectors {
  TermVector document;
  TermVector query;
};

/// Turns texts into vectors so that the score of a document for a query is their inner product.
class TermWeighting {
 public:
  virtual ~TermWeighting() = default;
  /// A text as what is found.
  [[nodiscard]] virtual TermVector document(std::string_view text) const = 0;
  /// A text as what is searched with; words that no document has count for nothing.
  [[nodiscard]] virtual TermVector query(std::string_view text) const = 0;
  [[nodiscard]] TextVectors vectors(std::string_view text) const { return {document(text), query(text)}; }
  /// How alike two texts are, in [0, 1]; the same in either order.
  [[nodiscard]] virtual double similarity(const TextVectors& a, const TextVectors& b) const = 0;
};

/// TF-IDF: term counts times ln((1 + n) / (1 + df)) + 1, divided by their L2 norm; the similarity is the cosine.
///
/// @param texts         what the vocabulary and the document frequencies df come from
/// @param max_features  only so many terms, those that occur most often; of equally frequent ones the first in the
///                      order of bytes; 0: all
/// @par Source
/// scikit-learn's TfidfVectorizer(max_features=N), which is P1's baseline with N = 4096. Which of equally frequent
/// terms it drops at the limit depends on its sorting.
[[nodiscard]] std::unique_ptr<TermWeighting> make_tf_idf(std::span<const std::string_view> texts,
                                                         std::int64_t max_features);

/// The constants of BM25.
struct Bm25Options {
  double k1;
  double b;
};

/// BM25: the sum over the query's words of ln(1 + (n - df + 0.5) / (df + 0.5)) tf (k1 + 1) / (tf + k1 (1 - b + b l /
/// L)), l words in the document, L in the mean document. The similarity is s / (1 + s), s the mean of both directions:
/// the order of s, within [0, 1] as thresholds are.
///
/// @param texts  what document frequencies and the mean length come from
/// @par Source
/// Robertson and Zaragoza 2009, with Lucene's never negative idf.
[[nodiscard]] std::unique_ptr<TermWeighting> make_bm25(std::span<const std::string_view> texts,
                                                       const Bm25Options& options);

/// Those of a config.
[[nodiscard]] inline Bm25Options bm25_of(const EvalOptions& options) { return {options.bm25_k1, options.bm25_b}; }

/// Makes the baseline of a name in `eval.baselines`: `tfidf`, `tfidf_N` for N features, or `bm25`.
/// @throws ConfigError if it is none of these
[[nodiscard]] std::unique_ptr<TermWeighting> make_baseline(const std::string& name,
                                                           std::span<const std::string_view> texts,
                                                           const Bm25Options& bm25);

/// The pairs of a split with their similarities.
/// @throws as `pairs_to_score`
[[nodiscard]] ScoredPairs score_pairs(const TermWeighting& weighting, const data::Corpus& corpus, data::Split split);

/// Ranks a task's documents that share a word with the query; the others are not found, but the last by id where none
/// does.
/// @note collective over the group; the result is the same on every rank
[[nodiscard]] Ranking retrieve(const TermWeighting& weighting, const RetrievalTask& task, std::size_t depth,
                               const dist::ProcessGroup& group);

}  // namespace coterie::eval
