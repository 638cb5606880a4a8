// From the config and the corpus to the model that is trained.
#pragma once

#include "data/corpus.h"
#include "dist/mesh.h"
#include "eval/pair_classification.h"
#include "model/sentence_encoder.h"
#include "train/run_options.h"

namespace coterie::train {

/// What the model of a run is: the checkpoint, extended by experts and domain tokens for the corpus's domains.
/// @throws ConfigError if the options do not fit the checkpoint or the corpus; DataError naming a document whose expert
///         or whose segments there is no expert for
[[nodiscard]] model::ModelSpec trained_spec(const RunOptions& options, const data::Corpus& corpus,
                                            const model::ModelSpec& checkpoint);

/// The model of a run before its first step; its embeddings are the checkpoint's, but for their length as
/// `model.normalize` says, unless `model::not_preserving`.
/// @param mesh  must outlive the model
/// @param kept  further parameters to keep with it: `domain_means`
[[nodiscard]] model::SentenceEncoder make_model(const RunOptions& options, const data::Corpus& corpus,
                                                const model::ModelSource& source, const dist::Mesh& mesh,
                                                const std::vector<kernels::Declaration>& kept = {});

/// The randomness of training, and how its passes run; the key is left to the step.
[[nodiscard]] model::Noise training_noise(const RunOptions& options, const model::BertConfig& checkpoint);

/// Of what random routes draw outside training.
[[nodiscard]] RandomKey evaluation_key(const RunOptions& options);

/// How a corpus's texts reach a model.
/// @throws ConfigError if the model needs domains and the corpus has one that it does not know, with
///   `experts.unknown_domain = error`
[[nodiscard]] eval::CorpusView view_of(const data::Corpus& corpus, const model::ModelSpec& spec,
                                       const RunOptions& options);

/// The model's domain for a text without one, or of a domain it does not know; -1 if that is an error, or left to
/// `NearestDomain`.
/// @throws ConfigError if `experts.unknown_domain` names no domain of the model
[[nodiscard]] std::int32_t unknown_domain(const model::ModelSpec& spec, const experts::ExpertsOptions& options);

}  // namespace coterie::train
