// Pair classification on a corpus: co-cited pairs against random ones of the same domain.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/corpus.h"
#include "dist/mesh.h"
#include "eval/binary_metrics.h"
#include "eval/bootstrap.h"
#include "eval/pair_metrics.h"
#include "model/encoder.h"

namespace coterie::eval {

/// The scored pairs of one split: the co-cited ones, then the random ones.
struct ScoredPairs {
  std::vector<double> scores;          ///< cosine similarity
  std::vector<std::uint8_t> labels;    ///< 1: co-cited
  std::vector<std::int32_t> domain;    ///< index into the corpus's domains
  std::vector<data::Pair> pairs = {};  ///< the documents

  /// The pairs of one domain.
  [[nodiscard]] ScoredPairs of_domain(std::int32_t wanted) const;
};

/// The pairs of a split in the order in which they are scored, without their scores.
/// @throws DataError if it lacks co-cited or random pairs
[[nodiscard]] ScoredPairs pairs_to_score(const data::Corpus& corpus, data::Split split);

/// How texts of a corpus reach a model that knows other domains, or none.
struct CorpusView {
  const data::Corpus& corpus;
  std::vector<std::int32_t> model_domain;  ///< the model's index of each of the corpus's domains; -1: unknown to it
  std::int64_t max_length;
  std::int64_t batch_tokens;
  /// Gives texts whose domain is unknown to the model one of its own; the texts are the same on every rank.
  std::function<void(data::PackedSequences&)> place_unknown = {};
  RandomKey key = {};  ///< of what random routes draw
};

/// The documents of a split's pairs, embedded.
struct EmbeddedSplit {
  data::Split split;
  std::vector<std::uint32_t> documents;  ///< [N] ascending
  at::Tensor embeddings_ND;              ///< double, on the CPU, rows of norm 1
};

/// @throws as `pairs_to_score`
/// @note collective over the world; the result is the same on every rank
[[nodiscard]] EmbeddedSplit embed_split(const model::Encoder& encoder, const CorpusView& view, data::Split split,
                                        const dist::Mesh& mesh);

/// The pairs of a split with the cosines of their embeddings.
/// @param corpus  that of the documents
/// @throws ShapeError if it has pairs of others
[[nodiscard]] ScoredPairs score_pairs(const EmbeddedSplit& embedded, const data::Corpus& corpus);

/// What a threshold that was chosen on validation gives on the measured pairs.
struct AtValidation {
  double threshold = 0.0;  ///< the best of the same domain's validation pairs
  FixedThreshold measures;
};

/// Measures of one domain, or of all pairs pooled.
struct DomainResult {
  std::string domain;  ///< `all` for the pooled row, which comes first
  PairMetrics metrics;
  BinaryMetrics binary;                                   ///< the same pairs in the other convention
  std::optional<AtValidation> at_validation;              ///< none where validation lacks co-cited or random pairs
  std::optional<std::array<Interval, 3>> intervals = {};  ///< of `kResampledMeasures`; none unless resampled
};

/// One row for all pairs, then one for each domain that has co-cited and random pairs among the measured ones.
/// @param resampling  of the documents of each row's pairs; none: there are no intervals
/// @throws DataError if a split has no pairs
[[nodiscard]] std::vector<DomainResult> classify(const std::vector<std::string>& domains, const ScoredPairs& measured,
                                                 const ScoredPairs& validation,
                                                 const std::optional<Resampling>& resampling = {});

}  // namespace coterie::eval
