// Enforced routing: the domain of a sequence is the expert of all its tokens.
#pragma once

#include <cstdint>

#include "experts/router.h"

namespace coterie::experts {

/// Sends every token of a sequence to the expert with the number of the sequence's domain, with weight one.
///
/// @par Source
/// Contrastive Learning and Mixture of Experts (arXiv:2401.15713), enforced sentence routing.
class DomainRouter final : public Router {
 public:
  /// @param experts  E: one for each domain
  explicit DomainRouter(std::int64_t experts) : experts_(experts) {}

  /// @throws DataError if a sequence's domain is unknown or not below E; ShapeError if the layout does not fit
  [[nodiscard]] Routing route(const at::Tensor& tokens_TD, const BatchLayout& layout, RandomKey key,
                              const Choice* replay) const override;
  [[nodiscard]] bool fixed_by_layout() const noexcept override { return true; }

 private:
  std::int64_t experts_;
};

}  // namespace coterie::experts
