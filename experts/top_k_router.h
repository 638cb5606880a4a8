// Learned routing of single tokens.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "experts/router.h"

namespace coterie::experts {

/// Sends each token to its K highest-scoring experts.
///
/// Scores are a softmax over all E experts, in the master dtype whatever the model computes in: bf16 loses the order of
/// near ties. The weights of the K chosen are divided by their sum, so that identical experts give the dense layer's
/// output exactly. With K = 1 that sum is held constant for the gradient: otherwise every weight would be the constant
/// 1 and the gate would never learn.
///
/// @par Source
/// Shazeer et al. 2017 (arXiv:1701.06538), without the noise term; the constant denominator is ours.
class TopKRouter final : public Router {
 public:
  /// @param gate_ED  a parameter
  /// @param top_k    K, in 1..E
  /// @throws ConfigError unless top_k is in 1..E
  TopKRouter(at::Tensor gate_ED, std::int64_t top_k);

  [[nodiscard]] Routing route(const at::Tensor& tokens_TD, const BatchLayout& layout, RandomKey key,
                              const Choice* replay) const override;
  [[nodiscard]] bool fixed_by_layout() const noexcept override { return false; }

 private:
  [[nodiscard]] at::Tensor logits(const at::Tensor& tokens_TD) const;

  at::Tensor gate_ED_;
  std::int64_t top_k_;
};

/// The first value of a gate: uniform in +-1 / sqrt(D), a function of the key alone.
/// @return  [E, D] in double
[[nodiscard]] at::Tensor initial_gate(std::int64_t experts, std::int64_t width, RandomKey key);

}  // namespace coterie::experts
