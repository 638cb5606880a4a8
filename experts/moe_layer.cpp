#include "experts/moe_layer.h"

namespace coterie::experts {

at::Tensor MoeLayer::forward(const at::Tensor& tokens_TD, const BatchLayout& layout, RandomKey key,
                             Plans& plans) const {
  std::optional<Plan>& plan = plans.of(*this);
  const Routing routing = parts_.router->route(tokens_TD, layout, key, plan ? &plan->choice : nullptr);
  if (!plan) plan = parts_.dispatcher.plan(routing.choice, tokens_TD.size(0)).on(tokens_TD.device());
  plans.record({parts_.layer, routing.scores, routing.choice});
  const at::Tensor rows_RD = parts_.dispatcher.dispatch(tokens_TD, *plan);
  return parts_.dispatcher.combine(parts_.experts.forward(rows_RD, plan->rows_per_expert), *plan, routing.weight_S);
}

}  // namespace coterie::experts
