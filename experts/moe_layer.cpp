#include "experts/moe_layer.h"

namespace coterie::experts {

at::Tensor MoeLayer::forward(const at::Tensor& tokens_TD, const BatchLayout& layout, Plans& plans) const {
  std::optional<Plan>& plan = plans.of(*this);
  if (!plan) plan = dispatcher_.plan(router_->choose(tokens_TD, layout), tokens_TD.size(0));
  const at::Tensor rows_RD = dispatcher_.dispatch(tokens_TD, *plan);
  return dispatcher_.combine(experts_.forward(rows_RD, plan->rows_per_expert), *plan,
                             router_->weigh(tokens_TD, plan->choice));
}

}  // namespace coterie::experts
