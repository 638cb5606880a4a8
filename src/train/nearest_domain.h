// The domain of a text that comes without one: the nearest of those that the model was trained on.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "data/corpus.h"
#include "dist/mesh.h"
#include "kernels/parameter_store.h"
#include "model/sentence_encoder.h"
#include "train/run_options.h"

namespace coterie::train {

/// What `experts.unknown_domain` is for the nearest domain.
inline constexpr const char* kNearest = "nearest";
/// Name of the domains' mean embeddings in a checkpoint.
inline constexpr const char* kDomainMeans = "domains.mean_embedding";

/// The mean embedding of each domain's training documents under the dense base, as a parameter without a gradient to
/// keep beside the model's; nothing unless `experts.unknown_domain` is nearest and the run's model will have domains.
///
/// At most 1000 documents of a domain are taken, evenly spaced.
/// @throws ConfigError if the model has added tokens; Error, the first rank's on every rank: DataError if a domain has
///   no training documents
/// @note collective over the world
[[nodiscard]] std::vector<kernels::Declaration> domain_means(const RunOptions& options, const data::Corpus& corpus,
                                                             const model::ModelSource& base, const dist::Mesh& mesh);

/// Gives texts without a domain the one whose mean embedding is most similar, by cosine, to theirs under the dense
/// base.
class NearestDomain {
 public:
  /// @param trained  a run's checkpoint
  /// @param mesh     must outlive this
  /// @throws DataError if the checkpoint keeps no mean embeddings, or the base has gone or has other weights now
  NearestDomain(const model::ModelSource& trained, const RunOptions& options, const dist::Mesh& mesh);

  /// Replaces each domain of -1.
  /// @param texts  the same on every rank
  /// @note collective over the world
  void assign(data::PackedSequences& texts) const;

 private:
  at::Tensor means_ND_;
  model::SentenceEncoder base_;
  std::int64_t batch_tokens_;
  const dist::Mesh& mesh_;
};

/// Where `experts.unknown_domain` is nearest and the model has domains; otherwise null.
/// @throws as `NearestDomain`
[[nodiscard]] std::unique_ptr<NearestDomain> nearest_domain_of(const model::ModelSource& source,
                                                               const RunOptions& options, const dist::Mesh& mesh);

}  // namespace coterie::train
