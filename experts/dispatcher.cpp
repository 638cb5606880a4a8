#include "experts/dispatcher.h"

#include <ATen/Functions.h>

#include <utility>

#include "base/error.h"
#include "dist/autograd.h"
#include "kernels/permute.h"
#include "kernels/spread_rows.h"

namespace coterie::experts {

Plan Dispatcher::plan(const Choice& choice, std::int64_t tokens, std::vector<std::int64_t> known) const {
  return make_plan(choice, tokens, experts_, group_, std::move(known));
}

at::Tensor Dispatcher::dispatch(const at::Tensor& tokens_TD, const Plan& plan) const {
  COTERIE_CHECK(ShapeError, tokens_TD.size(0) == plan.tokens, "dispatch: ", tokens_TD.size(0), " tokens, the plan has ",
                plan.tokens);
  const at::Tensor rows_SD =
      plan.one_expert_each ? tokens_TD : kernels::spread_rows(tokens_TD, plan.token_S, plan.assigned_T);
  const at::Tensor leaving_SD = kernels::permute_rows(rows_SD, plan.send_order_S, plan.send_inverse_S);
  const at::Tensor arrived_RD = dist::exchange(group_, leaving_SD, plan.send, plan.receive);
  return kernels::permute_rows(arrived_RD, plan.expert_order_R, plan.expert_inverse_R);
}

at::Tensor Dispatcher::combine(const at::Tensor& rows_RD, const Plan& plan, const at::Tensor& weight_S) const {
  COTERIE_CHECK(ShapeError, !weight_S.defined() || weight_S.sizes() == plan.token_S.sizes(),
                "combine: ", weight_S.sizes(), " weights for ", plan.token_S.sizes(), " assignments");
  const at::Tensor leaving_RD = kernels::permute_rows(rows_RD, plan.expert_inverse_R, plan.expert_order_R);
  const at::Tensor arrived_SD = dist::exchange(group_, leaving_RD, plan.receive, plan.send);
  at::Tensor rows_SD = kernels::permute_rows(arrived_SD, plan.send_inverse_S, plan.send_order_S);
  if (weight_S.defined()) rows_SD = rows_SD * weight_S.unsqueeze(1);
  if (!plan.one_expert_each)
    rows_SD = at::segment_reduce(rows_SD, "sum", plan.assigned_T, {}, {}, 0, /*unsafe=*/true, 0.0);
  return rows_SD.to(rows_RD.scalar_type());
}

}  // namespace coterie::experts
