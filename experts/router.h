// Who goes where: the interface of routers and what they decide.
//
// Shape letters in this folder: T tokens on this rank, D model width, F hidden width of an expert, E experts, L experts
// on this rank, K experts per token, S assignments of a token to an expert, R rows received, B sequences, U units that
// a router decides for: tokens, or sequences.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"

namespace coterie::experts {

/// The sequences that the packed tokens of a batch form.
struct BatchLayout {
  std::span<const std::int64_t> offsets;          ///< [B + 1] first token of each sequence, and T
  std::span<const std::int32_t> domain;           ///< [B] domain of each sequence; -1 is unknown
  std::span<const std::int64_t> sequence_index;   ///< [B] index of each among all sequences of the global batch
  std::span<const std::int32_t> expert = {};      ///< [B] the expert named for each sequence; empty: none was
  std::span<const std::int32_t> token_type = {};  ///< [T] the type of each token: its segment of the text
  /// Of each rank of the expert group, this one's among them, without token types; empty: the ranks do not know.
  std::vector<BatchLayout> peers = {};
};

/// How the router of one layer is disturbed in one step. Rates of zero, the default, are evaluation.
struct RouterNoise {
  double jitter = 0.0;  ///< a gate's input is multiplied by numbers uniform in 1 -+ jitter
  double logits = 0.0;  ///< standard deviation of normal noise on a gate's logits
  RandomKey key;        ///< of this layer in this step

  [[nodiscard]] bool any() const noexcept { return jitter > 0.0 || logits > 0.0; }
};

/// A router's decision for one batch of tokens: S assignments of a token to an expert.
///
/// A list, not a [T, K] table, so that every router fits: one expert per token, K of them, a number that differs.
struct Choice {
  at::Tensor token_S;   ///< int64, in [0, T), ascending; on the host, always
  at::Tensor expert_S;  ///< int64, in [0, E); the experts of one token are distinct; where the route was found
};

/// The scores behind a choice, for auxiliary losses and measures; all undefined where the route is not learned.
struct Scores {
  at::Tensor logits_UE;       ///< before the softmax, master dtype; with a gradient where the pass has a graph
  at::Tensor probability_UE;  ///< their softmax
  at::Tensor sequence_U;      ///< int64, the sequence of the batch that each unit is, or belongs to; all lie together
  at::Tensor expert_UK;       ///< int64, the experts chosen for each unit
};

/// What a router says of one batch of tokens in one pass.
struct Routing {
  Choice choice;
  at::Tensor weight_S;  ///< master dtype: what the output of each assignment is multiplied by; undefined: all one
  Scores scores;
};

/// Chooses experts for tokens and weighs their outputs. Rank-local: a router never communicates.
class Router {
 public:
  virtual ~Router() = default;

  /// A choice is made once and replayed in every further pass over the same tokens; weights and scores are computed,
  /// with a gradient, in each.
  ///
  /// @param tokens_TD  [T, D], the layer's input, any float dtype
  /// @param replay     the choice made before for these tokens, or null
  /// @throws DataError if a sequence cannot be routed; ShapeError if tokens or layout do not fit
  [[nodiscard]] virtual Routing route(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& noise,
                                      const Choice* replay) const = 0;

  /// How many assignments each expert gets of a layout, where that follows from what ranks know of each other.
  ///
  /// @return  [E]; empty: a rank must ask
  /// @throws DataError if a sequence cannot be routed; ShapeError if the layout does not fit
  [[nodiscard]] virtual std::vector<std::int64_t> counts(const BatchLayout& /*layout*/,
                                                         const RouterNoise& /*noise*/) const {
    return {};
  }

  /// Whether the route follows from the layout alone: one plan then serves every layer and the backward pass.
  [[nodiscard]] virtual bool fixed_by_layout() const noexcept = 0;
};

/// The sequence of the batch that each token belongs to.
/// @return  [T]
[[nodiscard]] std::vector<std::int64_t> sequence_of_tokens(const BatchLayout& layout);

}  // namespace coterie::experts
