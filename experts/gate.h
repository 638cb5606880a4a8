// The linear gate behind every learned router: scores, the choice of the highest, and their weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "base/random.h"
#include "experts/gate_noise.h"

namespace coterie::experts {

/// A gate's tensors.
struct GateTensors {
  at::Tensor weight_ED;  ///< a parameter
  at::Tensor balance_E;  ///< added to the probabilities for the choice alone; undefined: no balancing
};

/// What a gate makes of its units.
struct GateDecision {
  at::Tensor logits_UE;
  at::Tensor probability_UE;
  at::Tensor expert_UK;  ///< int64, each row's highest first
  at::Tensor weight_UK;
};

/// Scores experts for units, tokens or sequences, and takes the K highest.
///
/// Scores are a softmax over all E experts, in the master dtype whatever the model computes in: bf16 loses the order of
/// near ties. The weights of the K chosen are divided by their sum, so that identical experts give the dense layer's
/// output exactly. With K = 1 that sum is held constant for the gradient: otherwise every weight would be the constant
/// 1 and the gate would never learn.
///
/// @par Source
/// Shazeer et al. 2017 (arXiv:1701.06538), with noise of one given deviation; the constant denominator is ours.
/// Balancing by a bias: Wang et al. 2024 (arXiv:2408.15664), here beside the softmax's probabilities.
class Gate {
 public:
  /// @param top_k  K, in 1..E
  /// @throws ConfigError unless top_k is in 1..E
  Gate(GateTensors tensors, std::int64_t top_k);

  [[nodiscard]] std::int64_t experts() const { return tensors_.weight_ED.size(0); }
  [[nodiscard]] std::int64_t top_k() const noexcept { return top_k_; }
  /// Dtype of everything it computes.
  [[nodiscard]] at::ScalarType master() const { return tensors_.weight_ED.scalar_type(); }

  /// @param units_UD  [U, D], any float dtype
  /// @param places    of the units; read where there is noise only
  /// @param replay    int64 with U K elements: the choice made before, or null
  /// @throws ShapeError unless the units are of the width the gate was built for
  [[nodiscard]] GateDecision decide(const at::Tensor& units_UD, const kernels::TokenPlaces& places,
                                    const RouterNoise& noise, const at::Tensor* replay) const;

 private:
  GateTensors tensors_;
  std::int64_t top_k_;
};

/// The first value of a gate: uniform in +-1 / sqrt(D), a function of the key alone.
/// @return  [E, D] in double
[[nodiscard]] at::Tensor initial_gate(std::int64_t experts, std::int64_t width, RandomKey key);

}  // namespace coterie::experts
