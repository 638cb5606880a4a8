// Random expert MLPs that are equal on all ranks, and the formula of one row.
#pragma once

#include <cmath>

#include "experts/expert_ffn.h"
#include "tests/harness/tensors.h"

namespace coterie::experts {

/// Width and hidden width.
inline constexpr std::int64_t kWidth = 3;
inline constexpr std::int64_t kHidden = 5;

/// All leaves of an MLP, those of its gate last.
inline std::vector<at::Tensor> tensors_of(const Mlp& mlp) {
  std::vector<at::Tensor> tensors = {mlp.up_weight_FD.leaf, mlp.up_bias_F.leaf, mlp.down_weight_DF.leaf,
                                     mlp.down_bias_D.leaf};
  if (mlp.gate_weight_FD.leaf.defined()) tensors.insert(tensors.end(), {mlp.gate_weight_FD.leaf, mlp.gate_bias_F.leaf});
  return tensors;
}

/// Expert number `expert`, as leaves.
inline Mlp random_mlp(std::int64_t expert) {
  const auto stream = 1000 + 10 * static_cast<std::uint64_t>(expert);
  return {test::random_leaf({kHidden, kWidth}, stream), test::random_leaf({kHidden}, stream + 1),
          test::random_leaf({kWidth, kHidden}, stream + 2), test::random_leaf({kWidth}, stream + 3)};
}

/// The same, enlarged by a gate.
inline Mlp random_glu(std::int64_t expert) {
  Mlp mlp = random_mlp(expert);
  const auto stream = 5000 + 10 * static_cast<std::uint64_t>(expert);
  mlp.gate_weight_FD = test::random_leaf({kHidden, kWidth}, stream);
  mlp.gate_bias_F = test::random_leaf({kHidden}, stream + 1);
  return mlp;
}

/// The MLP on one token, written out: W (h Phi(h)) + w with h = U x + u, and V x + v as a factor where enlarged.
inline at::Tensor plain_mlp(const Mlp& mlp, const at::Tensor& token_D) {
  const at::Tensor hidden_F = mlp.up_weight_FD.leaf.mv(token_D) + mlp.up_bias_F.leaf;
  at::Tensor active_F = hidden_F * 0.5 * (1 + (hidden_F / std::sqrt(2.0)).erf());
  if (mlp.gate_weight_FD.leaf.defined())
    active_F = active_F * (mlp.gate_weight_FD.leaf.mv(token_D) + mlp.gate_bias_F.leaf);
  return mlp.down_weight_DF.leaf.mv(active_F) + mlp.down_bias_D.leaf;
}

}  // namespace coterie::experts
