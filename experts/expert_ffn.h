// The experts of one layer that live on this rank: each a BERT MLP.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "kernels/mlp.h"

namespace coterie::experts {

/// One BERT MLP.
struct Mlp : kernels::MlpWeights {
  /// @param rows_RD  [R, D]; R may be 0
  [[nodiscard]] at::Tensor forward(const at::Tensor& rows_RD, kernels::Activation activation) const {
    return kernels::mlp(rows_RD, *this, activation);
  }
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
