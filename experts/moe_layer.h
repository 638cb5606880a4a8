// A layer of experts in place of a dense MLP: route, dispatch, compute, combine.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "experts/dispatcher.h"
#include "experts/expert_ffn.h"
#include "experts/router.h"

namespace coterie::experts {

class Plans;

/// What a layer of experts is made of.
struct MoeParts {
  std::shared_ptr<const Router> router;
  Dispatcher dispatcher;
  ExpertFfn experts;
  std::int64_t layer = 0;  ///< number of the encoder layer, for records
};

/// Sparse counterpart of `Mlp::forward`.
class MoeLayer {
 public:
  explicit MoeLayer(MoeParts parts) : parts_(std::move(parts)) {}

  /// @param tokens_TD  [T, D]
  /// @param key        of this layer in this step
  /// @param plans      of these tokens; this layer's is made here if it is still missing, and its record is added
  /// @return           [T, D]
  /// @note collective over the expert group
  [[nodiscard]] at::Tensor forward(const at::Tensor& tokens_TD, const BatchLayout& layout, RandomKey key,
                                   Plans& plans) const;

  [[nodiscard]] const Router& router() const noexcept { return *parts_.router; }

 private:
  MoeParts parts_;
};

/// What the router of one layer said in the latest pass over a batch of tokens.
struct RouterRecord {
  std::int64_t layer = 0;  ///< number of the encoder layer
  Scores scores;           ///< undefined where the route is not learned
  Choice choice;           ///< of tokens, also where the router decides for sequences
};

/// The plans of one batch of tokens, from the first pass over it to the last: who goes where is decided once, also
/// where activations are computed again. Layers whose route follows from the layout share one plan.
class Plans {
 public:
  /// A layer's plan, empty until that layer has made it.
  [[nodiscard]] std::optional<Plan>& of(const MoeLayer& layer) {
    return plans_[layer.router().fixed_by_layout() ? nullptr : &layer];
  }

  /// Every pass over the tokens begins with it: plans stay, records are those of the latest pass.
  void begin_pass() { records_.clear(); }
  void record(RouterRecord record) { records_.push_back(std::move(record)); }
  /// Of each layer with experts, in their order. Scores are part of the pass's graph: they keep it alive.
  [[nodiscard]] const std::vector<RouterRecord>& records() const noexcept { return records_; }

 private:
  std::map<const MoeLayer*, std::optional<Plan>> plans_;
  std::vector<RouterRecord> records_;
};

}  // namespace coterie::experts
