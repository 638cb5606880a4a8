// Lists options through their own description, so that a new key is noticed without a second list of names.
#include "train/decisive_settings.h"

#include <set>

#include "base/error.h"
#include "base/sha256.h"
#include "config/listing.h"

namespace coterie::train {
namespace {

// Whole sections, and single keys of others.
const std::set<std::string>& decisive_keys() {
  static const std::set<std::string> kKeys = {"experts",
                                              "loss",
                                              "optim",
                                              "seed",
                                              "model.max_length",
                                              "model.precision",
                                              "model.hidden_dropout",
                                              "model.attention_dropout",
                                              "data.batch_pairs",
                                              "data.window_pairs"};
  return kKeys;
}

}  // namespace

std::map<std::string, std::string> decisive_settings(const RunOptions& options) {
  config::Listing listing;
  RunOptions copy = options;
  describe(listing, copy);
  std::map<std::string, std::string> settings;
  for (const config::ListedSection& section : listing.sections())
    for (const config::Listed& field : section.fields) {
      const std::string key = section.key.empty() ? field.name : section.key + "." + field.name;
      if (decisive_keys().contains(section.key) || decisive_keys().contains(key)) settings[key] = field.value;
    }
  // A text may be routed otherwise when it is embedded, but every training text has a domain.
  settings.erase("experts.unknown_domain");
  settings[kCorpusSetting] = sha256_of_file(options.data.corpus);
  return settings;
}

void check_same_settings(const std::map<std::string, std::string>& saved, const std::map<std::string, std::string>& now,
                         const std::string& checkpoint) {
  std::string differences;
  for (const auto& [key, value] : now) {
    const auto found = saved.find(key);
    const std::string before = found == saved.end() ? "nothing" : found->second;
    if (before != value) differences += str("\n  ", key, " was ", before, ", got ", value);
  }
  if (!differences.empty())
    throw ConfigError(str("run: the checkpoint was made with other settings; choose another 'run' to start anew (",
                          checkpoint, ")", differences));
}

}  // namespace coterie::train
