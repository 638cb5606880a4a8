// The `[eval]` section: which pairs are measured, and how they are embedded.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "config/schema.h"

namespace coterie::eval {

/// The part of a corpus that is measured.
enum class EvalSplit { validation, test };

struct EvalOptions {
  EvalSplit split = EvalSplit::test;
  std::int64_t batch_tokens = 8192;
  bool untouched = true;
};

inline void describe(config::Visitor& v, EvalOptions& o) {
  v.choice("split", o.split, std::to_array<std::string_view>({"validation", "test"}),
           "pairs that are measured; the fixed threshold always comes from validation");
  v.field("batch_tokens", o.batch_tokens, "tokens embedded at a time on each rank", {1, 1 << 24});
  v.field("untouched", o.untouched, "beside a trained model, also measure the checkpoint it started from");
}

}  // namespace coterie::eval
