#include "experts/expert_ffn.h"

#include <ATen/Functions.h>

#include "base/error.h"
#include "kernels/linear.h"

namespace coterie::experts {

at::Tensor Mlp::forward(const at::Tensor& rows_RD, kernels::Activation activation) const {
  if (!gate_weight_FD.leaf.defined()) return kernels::mlp(rows_RD, *this, activation);
  const at::Tensor hidden_RF =
      kernels::bias_activate(kernels::product(rows_RD, up_weight_FD), up_bias_F.leaf, activation) *
      kernels::linear(rows_RD, gate_weight_FD, gate_bias_F);
  return kernels::linear(hidden_RF, down_weight_DF, down_bias_D);
}

at::Tensor ExpertFfn::forward(const at::Tensor& rows_RD, const std::vector<std::int64_t>& rows_per_expert) const {
  COTERIE_CHECK(ShapeError, rows_per_expert.size() == experts_.size(), "experts: ", rows_per_expert.size(),
                " counts for ", experts_.size(), " experts");
  if (experts_.size() == 1) return experts_.front().forward(rows_RD, activation_);
  const auto blocks = rows_RD.split_with_sizes(rows_per_expert);
  std::vector<at::Tensor> outputs;
  // An expert without rows runs on an empty block: it stays in the graph on every rank, with a zero gradient.
  for (std::size_t e = 0; e < experts_.size(); ++e) outputs.push_back(experts_[e].forward(blocks[e], activation_));
  return at::cat(outputs);
}

}  // namespace coterie::experts
