// Learned routing of whole sequences.
#pragma once

#include "experts/gate.h"
#include "experts/router.h"

namespace coterie::experts {

/// Sends all tokens of a sequence to the K experts that the sequence's gate scores highest: only those K run.
///
/// The gate's logits are the mean of the tokens' logits, which is the gate of the mean token. With K = 1 this is the
/// switch over sentences; its gate learns, see `Gate`.
///
/// @par Source
/// Contrastive Learning and Mixture of Experts (arXiv:2401.15713), switch and top-k over sentences; there the switch
/// multiplies nothing by its probability, the mean includes padding, and every expert runs on every token.
class SentenceRouter final : public Router {
 public:
  explicit SentenceRouter(Gate gate) : gate_(std::move(gate)) {}

  [[nodiscard]] Routing route(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& noise,
                              const Choice* replay) const override;
  [[nodiscard]] bool fixed_by_layout() const noexcept override { return false; }

 private:
  Gate gate_;
};

/// Sends all tokens of a sequence to one expert drawn at random, uniformly: a function of layer, key (in
/// training the step's) and the sequence's place in the global batch or the input. The baseline that a learned route
/// must beat.
///
/// @par Source
/// Investigating Mixture of Experts in Dense Retrieval (arXiv:2412.11864), the random gate.
class RandomRouter final : public Router {
 public:
  explicit RandomRouter(std::int64_t experts) : experts_(experts) {}

  [[nodiscard]] Routing route(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& noise,
                              const Choice* replay) const override;
  [[nodiscard]] std::vector<std::int64_t> counts(const BatchLayout& layout, const RouterNoise& noise) const override;
  [[nodiscard]] bool fixed_by_layout() const noexcept override { return false; }

 private:
  [[nodiscard]] std::vector<std::int64_t> experts_of(const BatchLayout& layout, RandomKey key) const;

  std::int64_t experts_;
};

/// The expert of a sequence that `RandomRouter` draws.
[[nodiscard]] std::int64_t random_expert(std::int64_t sequence_index, std::int64_t experts, RandomKey key);

}  // namespace coterie::experts
