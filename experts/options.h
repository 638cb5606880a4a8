// The `[experts]` section: which layers have experts and how tokens find them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"

namespace coterie::experts {

/// How experts are chosen.
enum class RouterKind : std::uint8_t {
  none,             ///< no experts: the dense model
  domain,           ///< enforced: the domain of a sequence is its expert
  top_k_token,      ///< learned: each token goes to the experts that score highest
  token_type,       ///< enforced: the type of a token, its segment between [SEP]s, is its expert
  index,            ///< enforced: the caller names the expert of each sequence
  switch_sentence,  ///< learned: each sequence goes to the expert that scores highest
  top_k_sentence,   ///< learned: each sequence goes to the experts that score highest
  random,           ///< each sequence goes to one expert drawn at random
  dense,            ///< one expert: the dense baseline with the experts' MLP
  multi_head,       ///< learned: each head of a token goes to the experts that score highest
};

/// The kinds as configs and checkpoints spell them.
inline constexpr auto kRouterNames =
    std::to_array<std::string_view>({"none", "domain", "top_k_token", "token_type", "index", "switch_sentence",
                                     "top_k_sentence", "random", "dense", "multi_head"});

[[nodiscard]] constexpr std::string_view name_of(RouterKind kind) {
  return kRouterNames[static_cast<std::size_t>(kind)];
}

/// Whether the router has a gate.
[[nodiscard]] constexpr bool learns(RouterKind kind) {
  return kind == RouterKind::top_k_token || kind == RouterKind::switch_sentence || kind == RouterKind::top_k_sentence ||
         kind == RouterKind::multi_head;
}

/// What each expert is.
enum class MlpKind : std::uint8_t {
  plain,  ///< the MLP of the checkpoint
  glu,    ///< enlarged by a linear gate on its hidden units, which starts as the constant one
};

inline constexpr auto kMlpNames = std::to_array<std::string_view>({"plain", "glu"});

/// Experts of a layer, at most.
inline constexpr std::int64_t kMostExperts = 4096;

struct ExpertsOptions {
  RouterKind router = RouterKind::domain;
  std::int64_t count = 0;
  std::int64_t top_k = 1;
  std::vector<std::string> layers = {"all"};
  MlpKind mlp = MlpKind::plain;
  bool shared = false;
  std::int64_t heads = 4;
  double copy_noise = 0.0;
  double jitter = 0.0;
  double noise = 0.0;
  bool domain_tokens = true;
  std::string unknown_domain = "error";
};

inline void describe(config::Visitor& v, ExpertsOptions& o) {
  v.choice(
      "router", o.router, kRouterNames,
      "how experts are chosen: none (the dense model); by what the input says: domain, token_type, index (given "
      "with each text); learned: top_k_token, switch_sentence (the best one), top_k_sentence, multi_head (parts of "
      "a token apart); random (a sequence at a time); dense (one expert)");
  v.field("count", o.count,
          "experts in a layer; 0: one for each domain of the corpus, for each token type, or for each number that "
          "documents name; decided by the router where it is domain or dense",
          {0, kMostExperts});
  v.field("top_k", o.top_k,
          "experts of each token or sequence with top_k_token, top_k_sentence and multi_head; 1 with the others",
          {1, 64});
  v.field(
      "layers", o.layers,
      "layers whose MLP becomes experts: all, middle, none (the dense model, whatever is said of experts), or a list "
      "of indices from 0");
  v.choice("mlp", o.mlp, kMlpNames,
           "each expert is the checkpoint's MLP, or that MLP enlarged by a linear gate (glu), which starts as one");
  v.field("shared", o.shared, "one more expert in each of these layers, which every token passes besides its own");
  v.field("heads", o.heads, "parts of a token that multi_head alone routes apart; must divide the model's width",
          {2, 1024});
  v.field(
      "copy_noise", o.copy_noise,
      "normal noise on the matrices of each copied expert, times the matrix's standard deviation; multi_head copies "
      "none",
      {0.0, 10.0});
  v.field("jitter", o.jitter, "while training, a learned gate's input is multiplied by numbers uniform in 1 -+ jitter",
          {0.0, 0.99});
  v.field("noise", o.noise, "while training, standard deviation of normal noise on a learned gate's logits",
          {0.0, 100.0});
  v.field("domain_tokens", o.domain_tokens,
          "one added token per domain, seeded from [CLS] and put in its place at the start of every text");
  v.field(
      "unknown_domain", o.unknown_domain,
      "a text without a domain, or of an unknown one, is an error, is taken as of the domain named here, or as of the "
      "nearest: the one whose training documents are most similar on the mean under the untrained model; read where "
      "the model knows domains");
}

}  // namespace coterie::experts
