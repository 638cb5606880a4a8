// A layer of experts in place of a dense MLP: route, dispatch, compute, combine.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include "experts/dispatcher.h"
#include "experts/expert_ffn.h"
#include "experts/router.h"

namespace coterie::experts {

/// The plan of a batch whose route follows from the layout alone, kept from the first layer that needs it.
using SharedPlan = std::optional<Plan>;

/// Sparse counterpart of `Mlp::forward`.
class MoeLayer {
 public:
  MoeLayer(std::shared_ptr<const Router> router, Dispatcher dispatcher, ExpertFfn experts)
      : router_(std::move(router)), dispatcher_(dispatcher), experts_(std::move(experts)) {}

  /// @param tokens_TD  [T, D]
  /// @param shared     the batch's plan, made here when still missing; neither read nor written unless the router is
  ///                   fixed by the layout
  /// @return           [T, D]
  /// @note collective over the expert group
  [[nodiscard]] at::Tensor forward(const at::Tensor& tokens_TD, const BatchLayout& layout, SharedPlan& shared) const;

 private:
  [[nodiscard]] at::Tensor through_experts(const at::Tensor& tokens_TD, const Plan& plan) const;

  std::shared_ptr<const Router> router_;
  Dispatcher dispatcher_;
  ExpertFfn experts_;
};

}  // namespace coterie::experts
