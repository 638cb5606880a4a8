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
  none,    ///< no experts: the dense model
  domain,  ///< enforced: the domain of a sequence is its expert
};

struct ExpertsOptions {
  RouterKind router = RouterKind::domain;
  std::vector<std::string> layers = {"all"};
  bool domain_tokens = true;
  std::string unknown_domain = "error";
};

inline void describe(config::Visitor& v, ExpertsOptions& o) {
  v.choice("router", o.router, std::to_array<std::string_view>({"none", "domain"}),
           "how experts are chosen: none (the dense model) or domain (enforced by the domain of the text)");
  v.field("layers", o.layers, "layers whose MLP becomes experts: all, middle, none, or a list of indices from 0");
  v.field("domain_tokens", o.domain_tokens,
          "one added token per domain, seeded from [CLS] and put in its place at the start of every text");
  v.field("unknown_domain", o.unknown_domain, "a text without a domain is an error, or is taken as this domain");
}

}  // namespace coterie::experts
