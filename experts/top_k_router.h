// Learned routing of single tokens.
#pragma once

#include "experts/gate.h"
#include "experts/router.h"

namespace coterie::experts {

/// Sends each token to the K experts that its gate scores highest.
class TopKRouter final : public Router {
 public:
  explicit TopKRouter(Gate gate) : gate_(std::move(gate)) {}

  [[nodiscard]] Routing route(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& noise,
                              const Choice* replay) const override;
  [[nodiscard]] bool fixed_by_layout() const noexcept override { return false; }

 private:
  Gate gate_;
};

}  // namespace coterie::experts
