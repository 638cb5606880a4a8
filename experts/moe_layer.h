// A layer of experts in place of a dense MLP: route, dispatch, compute, combine.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>

#include "experts/dispatcher.h"
#include "experts/expert_ffn.h"
#include "experts/router.h"

namespace coterie::experts {

class Plans;

/// Sparse counterpart of `Mlp::forward`.
class MoeLayer {
 public:
  MoeLayer(std::shared_ptr<const Router> router, Dispatcher dispatcher, ExpertFfn experts)
      : router_(std::move(router)), dispatcher_(dispatcher), experts_(std::move(experts)) {}

  /// @param tokens_TD  [T, D]
  /// @param plans      of these tokens; this layer's is made here if it is still missing
  /// @return           [T, D]
  /// @note collective over the expert group
  [[nodiscard]] at::Tensor forward(const at::Tensor& tokens_TD, const BatchLayout& layout, Plans& plans) const;

  [[nodiscard]] const Router& router() const noexcept { return *router_; }

 private:
  std::shared_ptr<const Router> router_;
  Dispatcher dispatcher_;
  ExpertFfn experts_;
};

/// The plans of one batch of tokens, from the first pass over it to the last: who goes where is decided once, also
/// where activations are computed again. Layers whose route follows from the layout share one plan.
class Plans {
 public:
  /// A layer's plan, empty until that layer has made it.
  [[nodiscard]] std::optional<Plan>& of(const MoeLayer& layer) {
    return plans_[layer.router().fixed_by_layout() ? nullptr : &layer];
  }

 private:
  std::map<const MoeLayer*, std::optional<Plan>> plans_;
};

}  // namespace coterie::experts
