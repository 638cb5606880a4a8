#include "experts/moe_layer.h"

namespace coterie::experts {

at::Tensor MoeLayer::forward(const at::Tensor& tokens_TD, const BatchLayout& layout, SharedPlan& shared) const {
  const auto make_plan = [&] { return dispatcher_.plan(router_->route(tokens_TD, layout), tokens_TD.size(0)); };
  if (!router_->fixed_by_layout()) return through_experts(tokens_TD, make_plan());
  if (!shared) shared = make_plan();
  return through_experts(tokens_TD, *shared);
}

at::Tensor MoeLayer::through_experts(const at::Tensor& tokens_TD, const Plan& plan) const {
  const at::Tensor rows_RD = dispatcher_.dispatch(tokens_TD, plan);
  return dispatcher_.combine(experts_.forward(rows_RD, plan.rows_per_expert), plan);
}

}  // namespace coterie::experts
