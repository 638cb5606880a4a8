// The settings that decide what a run computes: a checkpoint continues under the same ones only.
#pragma once

#include <map>
#include <string>

#include "train/run_options.h"

namespace coterie::train {

/// The key of the corpus among the decisive settings.
inline constexpr const char* kCorpusSetting = "data.corpus (sha256)";

/// Dotted keys and their values as TOML: seed, batches, lengths and dropout, experts, loss and optimizer, and the
/// SHA-256 of the corpus. What only decides how long, how often or where something happens is not among them.
[[nodiscard]] std::map<std::string, std::string> decisive_settings(const RunOptions& options);

/// @throws ConfigError naming every setting that differs, with both values
void check_same_settings(const std::map<std::string, std::string>& saved, const std::map<std::string, std::string>& now,
                         const std::string& checkpoint);

}  // namespace coterie::train
