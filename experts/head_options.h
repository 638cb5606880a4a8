// The `[head]` section: experts on the pooled embedding.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "config/schema.h"
#include "experts/options.h"

namespace coterie::experts {

/// What stands behind pooling.
enum class HeadKind : std::uint8_t {
  none,    ///< nothing
  sb_moe,  ///< a gate and bottleneck experts
};

/// How the head chooses experts outside training, where it always takes the best of noisy scores.
enum class HeadInference : std::uint8_t { top1, all, random };

inline constexpr auto kHeadNames = std::to_array<std::string_view>({"none", "sb_moe"});
inline constexpr auto kHeadInferenceNames = std::to_array<std::string_view>({"top1", "all", "random"});

struct HeadOptions {
  HeadKind kind = HeadKind::none;
  std::int64_t experts = 6;
  HeadInference inference = HeadInference::top1;
};

inline void describe(config::Visitor& v, HeadOptions& o) {
  v.choice("kind", o.kind, kHeadNames, "none, or sb_moe: a gate and bottleneck experts behind pooling");
  v.field("experts", o.experts, "bottleneck experts of the head, where there is one", {1, kMostExperts});
  v.choice("inference", o.inference, kHeadInferenceNames,
           "of the head, outside training: the best expert, all of them by their weights, or one drawn at random");
}

}  // namespace coterie::experts
