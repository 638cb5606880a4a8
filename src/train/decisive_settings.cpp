// Lists options through their own description, so that a new key is noticed without a second list of names.
#include "train/decisive_settings.h"

#include <set>

#include "base/sha256.h"
#include "config/config.h"
#include "model/source_hash.h"
#include "train/nearest_domain.h"

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
                                              "model.normalize",
                                              "model.precision",
                                              "model.hidden_dropout",
                                              "model.attention_dropout",
                                              "data.batch_pairs",
                                              "data.window_pairs"};
  return kKeys;
}

}  // namespace

Settings decisive_settings(const RunOptions& options, const model::ModelSource& source) {
  Settings settings = config::values(options);
  std::erase_if(settings, [](const auto& field) {
    const std::string section = field.first.substr(0, field.first.rfind('.'));  // a key of none: the key itself
    return !decisive_keys().contains(section) && !decisive_keys().contains(field.first);
  });
  // A text may be routed otherwise when it is embedded, but every training text has a domain. The nearest one needs the
  // means that were kept from the first step on.
  if (options.experts.unknown_domain != kNearest) settings.erase("experts.unknown_domain");
  settings[kCorpusHash] = sha256_of_file(options.data.corpus);
  settings[kWeightsHash] = model::weights_sha256(source);
  if (!options.model.added_tokens.empty()) settings[kAddedTokensHash] = sha256_of_file(options.model.added_tokens);
  return settings;
}

}  // namespace coterie::train
