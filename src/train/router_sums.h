// What the routers of a batch add up to: all that auxiliary losses and measures need to know of it.
//
// Shape letters: U units that a router decides for (tokens, or sequences), D domains, E experts, S assignments of a
// token to an expert.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "data/batch.h"
#include "dist/process_group.h"
#include "experts/moe_layer.h"

namespace coterie::train {

/// Sums over the units of one layer, or of the head behind pooling. Those of pieces of a batch, of ranks and of steps
/// add up.
///
/// The first three have a gradient where the record has one; they are undefined where the route is not learned.
struct RouterSums {
  std::int64_t layer = 0;      ///< number of the encoder layer, or `experts::kHeadLayer`
  at::Tensor probability_DE;   ///< [D + 1, E] of the experts, by the domain of the sequence; the last row: of none
  at::Tensor squared_log_sum;  ///< [] of (log sum_e exp logit_e)^2
  at::Tensor cross_entropy;    ///< [] over sequences: of the mean logits against the domain; zero if there is none
  at::Tensor assigned_DE;      ///< [D + 1, E] assignments of tokens; the head's: of sequences
  at::Tensor chosen_E;         ///< [E] units that chose each expert; undefined where the route is not learned
  at::Tensor confidence;       ///< [] of the largest probability
  at::Tensor units;            ///< []
  at::Tensor labelled;         ///< [] sequences that `cross_entropy` counts
  [[nodiscard]] bool learned() const { return probability_DE.defined(); }
  [[nodiscard]] bool of_head() const noexcept { return layer == experts::kHeadLayer; }
};

/// Those of encoder layers: the head's, if there is one, stands last.
[[nodiscard]] std::span<const RouterSums> of_layers(std::span<const RouterSums> sums);

/// @param record     of the tokens of `sequences`
/// @param domains    D; a sequence without a domain, or with one above, is of none
/// @param experts    E, of the layer or the head
[[nodiscard]] RouterSums router_sums(const experts::RouterRecord& record, const data::PackedSequences& sequences,
                                     std::int64_t domains, std::int64_t experts);

/// The sums of `router_sums` that have a gradient, and `labelled`, alone.
/// @param scores  defined
/// @param domain  [B] of the sequences
[[nodiscard]] RouterSums differentiable_sums(const experts::Scores& scores, const std::vector<std::int32_t>& domain,
                                             std::int64_t domains);

/// Adds the values of `more` to `sums`, in double and without a graph, where they lie; `sums` may be empty.
void add(std::vector<RouterSums>& sums, const std::vector<RouterSums>& more);

/// Sums over all ranks, then on the host: the only wait for a GPU that sums of routers take.
/// @param sums  of the same layers on every rank, from `add`
/// @note collective over the group; one all-reduce of (2 D + 3) E + 5 numbers for each layer and the head
void all_reduce(const dist::ProcessGroup& group, std::vector<RouterSums>& sums);

}  // namespace coterie::train
