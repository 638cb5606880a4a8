#include "experts/moe_layer.h"

namespace coterie::experts {

at::Tensor MoeLayer::forward(const at::Tensor& tokens_TD, const BatchLayout& layout, SharedPlan& shared) const {
  if (!shared || !router_->fixed_by_layout())
    shared = dispatcher_.plan(router_->route(tokens_TD, layout), tokens_TD.size(0));
  const at::Tensor rows_RD = dispatcher_.dispatch(tokens_TD, *shared);
  return dispatcher_.combine(experts_.forward(rows_RD, shared->rows_per_expert), *shared);
}

}  // namespace coterie::experts
