// How rows travel: made once for a routing decision, then used by forward, backward and every layer with that decision.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "dist/process_group.h"
#include "experts/router.h"

namespace coterie::experts {

/// Counts and permutations of one exchange of rows between the ranks of an expert group.
///
/// Rows leave sorted by expert, hence by the rank that owns the expert; they arrive sorted by sender, then expert, and
/// are rearranged so that each expert's rows are contiguous. No sort happens after the one at the sender.
struct Plan {
  std::int64_t tokens = 0;                    ///< T
  bool one_expert_each = true;                ///< every token has exactly one expert: S = T, in token order
  Choice choice;                              ///< what it was made for, where the router made it
  at::Tensor token_S;                         ///< its tokens
  at::Tensor assigned_T;                      ///< int64 [T], number of experts of each token
  at::Tensor send_order_S;                    ///< assignments in the order in which they leave
  at::Tensor send_inverse_S;                  ///< its inverse
  dist::Splits send;                          ///< rows to each rank
  dist::Splits receive;                       ///< rows from each rank
  at::Tensor expert_order_R;                  ///< received rows in order of local expert, then sender
  at::Tensor expert_inverse_R;                ///< its inverse
  std::vector<std::int64_t> rows_per_expert;  ///< [L]

  /// The same plan with its tensors, but for the choice, where the rows are. Copies to a GPU are only begun.
  [[nodiscard]] Plan on(const at::Device& device) const;
};

/// Plans the exchange for a choice, on the host: a choice that was made on a GPU is waited for, one that follows from
/// the layout is not.
///
/// @param experts  E; each rank owns its block of `dist::expert_blocks`
/// @param known    [ranks, E], assignments of each rank of the group to each expert, where every rank knows them; empty
///                 on every rank: they are exchanged
/// @throws ShapeError if the choice does not fit; ConfigError if the size of the group does not divide E
/// @note collective over the group where there are no counts; E of them then travel from each rank to each
[[nodiscard]] Plan make_plan(const Choice& made, std::int64_t tokens, std::int64_t experts,
                             const dist::ProcessGroup& group, std::vector<std::int64_t> known = {});

}  // namespace coterie::experts
