// The experts of one layer that live on this rank: each a BERT MLP.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "kernels/mlp.h"

namespace coterie::experts {

/// One BERT MLP, enlarged by a linear gate on its hidden units where that is defined.
struct Mlp : kernels::MlpWeights {
  kernels::Operand gate_weight_FD = {};
  kernels::Operand gate_bias_F = {};

  /// act(x U^T + u) W^T + w; enlarged (act(x U^T + u) * (x V^T + v)) W^T + w
  /// @param rows_RD  [R, D]; R may be 0
  [[nodiscard]] at::Tensor forward(const at::Tensor& rows_RD, kernels::Activation activation) const;
};

/// Applies each local expert to its rows.
class ExpertFfn {
 public:
  /// @param experts  [L]
  ExpertFfn(std::vector<Mlp> experts, kernels::Activation activation)
      : experts_(std::move(experts)), activation_(activation) {}

  /// @param rows_RD          [R, D], the rows of local expert 0 first
  /// @param rows_per_expert  [L], sums to R; zeros are legal
  /// @return                 [R, D]
  [[nodiscard]] at::Tensor forward(const at::Tensor& rows_RD, const std::vector<std::int64_t>& rows_per_expert) const;

 private:
  std::vector<Mlp> experts_;
  kernels::Activation activation_;
};

}  // namespace coterie::experts
