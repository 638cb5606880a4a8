// What a sentence-embedding model is, apart from its weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "experts/head_options.h"
#include "experts/options.h"
#include "model/bert_config.h"
#include "model/hf_directory.h"

namespace coterie::model {

/// A BERT encoder with pooling, and, where it has been extended, its experts and domain tokens.
struct ModelSpec {
  BertConfig bert;  ///< of the dense encoder: its vocabulary has no domain tokens
  Pooling pooling = Pooling::mean;
  bool normalize = true;                                   ///< embeddings are divided by their L2 norm
  std::int64_t max_length = 0;                             ///< longer texts are cut, [CLS] and [SEP] counted
  std::vector<std::string> domains;                        ///< empty: the model knows no domains
  std::vector<std::int64_t> expert_layers;                 ///< layers with experts, ascending
  experts::RouterKind router = experts::RouterKind::none;  ///< none exactly where no layer has experts
  std::int64_t expert_count = 0;                           ///< E; as many as domains when routed by them
  std::int64_t top_k = 1;                                  ///< of a learned router
  std::int64_t heads = 1;                                  ///< parts of a token, above 1 exactly with multi_head
  bool router_balance = false;                             ///< a learned router has a bias that balances it
  experts::MlpKind expert_mlp = experts::MlpKind::plain;
  bool shared_expert = false;                        ///< one expert more that every token passes
  experts::HeadKind head = experts::HeadKind::none;  ///< what stands behind pooling
  std::int64_t head_experts = 0;                     ///< its experts; 0 exactly where there is no head
  experts::HeadInference head_inference = experts::HeadInference::top1;
  bool domain_tokens = false;  ///< token vocab_size + d stands for [CLS] in domain d

  /// Rows of the word embeddings, domain tokens included.
  [[nodiscard]] std::int64_t vocabulary() const {
    return bert.vocab_size + (domain_tokens ? static_cast<std::int64_t>(domains.size()) : 0);
  }
  /// Index of a domain.
  /// @throws ConfigError listing the domains if there is none of that name
  [[nodiscard]] std::int32_t domain(const std::string& name) const;

  bool operator==(const ModelSpec&) const = default;
};

/// What distinguishes a spec from an earlier one: a line `\n  the model's KEY was X, got Y` for each key of config.json
/// and coterie.json; nothing if the two are equal.
[[nodiscard]] std::string differences(const ModelSpec& earlier, const ModelSpec& now);

/// The whole spec as text: equal exactly for equal specs.
[[nodiscard]] std::string spec_text(const ModelSpec& spec);

/// Writes `config.json` (the dense encoder) and `coterie.json` (the rest) into a folder.
void write_model_spec(FileOps& ops, const std::filesystem::path& folder, const ModelSpec& spec);

/// @throws DataError naming file and key
[[nodiscard]] ModelSpec read_model_spec(const std::filesystem::path& folder);

}  // namespace coterie::model
