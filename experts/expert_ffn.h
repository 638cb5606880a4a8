// The experts of one layer that live on this rank: each a BERT MLP.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "kernels/activation.h"
#include "kernels/parameter_store.h"

namespace coterie::experts {

/// The two matrices of one BERT MLP, parameters of a ParameterStore.
struct Mlp {
  kernels::Operand up_weight_FD;
  kernels::Operand up_bias_F;
  kernels::Operand down_weight_DF;
  kernels::Operand down_bias_D;

  /// act(x U^T + u) W^T + w
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
