// Lists options through their own description, so that a new key is noticed without a second list of names.
#include "train/decisive_settings.h"

#include <set>

#include "base/sha256.h"
#include "base/str.h"
#include "config/listing.h"
#include "model/source_hash.h"

namespace coterie::train {
namespace {

// Whole sections, and single keys of others.
const std::set<std::string>& decisive_keys() {
  static const std::set<std::string> kKeys = {"experts",
                                              "head",
                                              "loss",
                                              "loss.auxiliary",
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

Settings decisive_settings(const RunOptions& options, const model::ModelSource& source) {
  config::Listing listing;
  RunOptions copy = options;
  describe(listing, copy);
  Settings settings;
  for (const config::ListedSection& section : listing.sections())
    for (const config::Listed& field : section.fields) {
      const std::string key = section.key.empty() ? field.name : section.key + "." + field.name;
      if (decisive_keys().contains(section.key) || decisive_keys().contains(key)) settings[key] = field.value;
    }
  // A text may be routed otherwise when it is embedded, but every training text has a domain.
  settings.erase("experts.unknown_domain");
  settings[kCorpusHash] = sha256_of_file(options.data.corpus);
  settings[kWeightsHash] = model::weights_sha256(source);
  if (!options.model.added_tokens.empty()) settings[kAddedTokensHash] = sha256_of_file(options.model.added_tokens);
  return settings;
}

std::string differences(const Settings& saved, const Settings& now) {
  std::string lines;
  for (const auto& [key, value] : now) {
    const auto found = saved.find(key);
    const std::string before = found == saved.end() ? "nothing" : found->second;
    if (before != value) lines += str("\n  ", key, " was ", before, ", got ", value);
  }
  return lines;
}

}  // namespace coterie::train
