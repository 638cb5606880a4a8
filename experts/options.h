// The `[experts]` section: which layers have experts and how tokens find them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"

namespace coterie::experts {

/// How experts are chosen.
enum class RouterKind : std::uint8_t {
  none,         ///< no experts: the dense model
  domain,       ///< enforced: the domain of a sequence is its expert
  top_k_token,  ///< learned: each token goes to the experts that score highest
};

/// The kinds as configs and checkpoints spell them.
inline constexpr auto kRouterNames = std::to_array<std::string_view>({"none", "domain", "top_k_token"});

/// Experts of a layer, at most.
inline constexpr std::int64_t kMostExperts = 4096;

struct ExpertsOptions {
  RouterKind router = RouterKind::domain;
  std::int64_t count = 0;
  std::int64_t top_k = 1;
  std::vector<std::string> layers = {"all"};
  bool domain_tokens = true;
  std::string unknown_domain = "error";
};

inline void describe(config::Visitor& v, ExpertsOptions& o) {
  v.choice("router", o.router, kRouterNames,
           "how experts are chosen: none (the dense model), domain (enforced by the domain of the text), top_k_token "
           "(learned, token by token)");
  v.field("count", o.count,
          "experts in a layer; 0: one for each domain of the corpus, the only choice when routed by it",
          {0, kMostExperts});
  v.field("top_k", o.top_k, "experts of each token with a learned router", {1, 64});
  v.field("layers", o.layers, "layers whose MLP becomes experts: all, middle, none, or a list of indices from 0");
  v.field("domain_tokens", o.domain_tokens,
          "one added token per domain, seeded from [CLS] and put in its place at the start of every text");
  v.field("unknown_domain", o.unknown_domain, "a text without a domain is an error, or is taken as this domain");
}

}  // namespace coterie::experts
