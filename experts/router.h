// Who goes where: the interface of routers and what they decide.
//
// Shape letters in this folder: T tokens on this rank, D model width, F hidden width of an expert, E experts, L experts
// on this rank, S assignments of a token to an expert, R rows received, B sequences.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace coterie::experts {

/// The sequences that the packed tokens of a batch form.
struct BatchLayout {
  std::span<const std::int64_t> offsets;  ///< [B + 1] first token of each sequence, and T
  std::span<const std::int32_t> domain;   ///< [B] domain of each sequence; -1 is unknown
};

/// A router's decision for one batch of tokens: S assignments of a token to an expert.
///
/// A list, not a [T, K] table, so that every router fits: one expert per token, K of them, a number that differs.
struct Choice {
  at::Tensor token_S;   ///< int64, in [0, T), ascending
  at::Tensor expert_S;  ///< int64, in [0, E); the experts of one token are distinct
};

/// Chooses experts for tokens and weighs their outputs. Rank-local: a router never communicates.
///
/// The two are apart because a choice is made once, and kept by every further pass over the same tokens, while the
/// weights are computed with a gradient in each.
class Router {
 public:
  virtual ~Router() = default;

  /// @param tokens_TD  [T, D], the layer's input
  /// @throws DataError if a sequence cannot be routed
  [[nodiscard]] virtual Choice choose(const at::Tensor& tokens_TD, const BatchLayout& layout) const = 0;

  /// What the output of each assignment is multiplied by.
  /// @return  [S] in the master dtype; undefined where all weights are one
  [[nodiscard]] virtual at::Tensor weigh(const at::Tensor& tokens_TD, const Choice& choice) const = 0;

  /// Whether the route follows from the layout alone: one plan then serves every layer and the backward pass.
  [[nodiscard]] virtual bool fixed_by_layout() const noexcept = 0;
};

}  // namespace coterie::experts
