// The settings that decide what a run computes: a checkpoint continues under the same ones only.
#pragma once

#include <map>
#include <string>

#include "model/sentence_encoder.h"
#include "train/run_options.h"

namespace coterie::train {

/// Values by key.
using Settings = std::map<std::string, std::string>;

/// Keys of the SHA-256 of the files that a run starts from.
inline constexpr const char* kCorpusHash = "data.corpus (sha256)";
inline constexpr const char* kWeightsHash = "model.checkpoint (sha256)";
inline constexpr const char* kAddedTokensHash = "model.added_tokens (sha256)";

/// Dotted keys and their values as TOML: seed, batches, lengths, normalisation and dropout, experts, loss and
/// optimizer, and the hashes of corpus and base weights. What only decides how often or where something happens is not
/// among them; nor is `train.steps`, though a learning rate that decays follows it, because a run may be made longer.
[[nodiscard]] Settings decisive_settings(const RunOptions& options, const model::ModelSource& source);

}  // namespace coterie::train
