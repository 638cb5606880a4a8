// Moves rows to the experts and back.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "dist/process_group.h"
#include "experts/plan.h"

namespace coterie::experts {

/// Brings each token's vector to the ranks that own its experts, and their outputs back, differentiably.
///
/// With a group of one rank nothing is sent and the same permutations run: there is no other path.
class Dispatcher {
 public:
  /// @param group    the ranks that share one set of experts; must outlive every backward pass
  /// @param experts  E, divisible by the size of the group
  Dispatcher(const dist::ProcessGroup& group, std::int64_t experts) : group_(group), experts_(experts) {}

  /// @param known  as `make_plan`
  /// @note collective over the group where there are no counts
  [[nodiscard]] Plan plan(const Choice& choice, std::int64_t tokens, std::vector<std::int64_t> known = {}) const;

  /// @param tokens_TD  [T, D]
  /// @return           [R, D], the rows of local expert 0 first
  /// @throws ShapeError if the plan is of another number of tokens
  /// @note collective over the group; S D elements leave this rank
  [[nodiscard]] at::Tensor dispatch(const at::Tensor& tokens_TD, const Plan& plan) const;

  /// Sum over each token's experts of weight times output, always in the same order.
  ///
  /// @param rows_RD   [R, D], in the order of `dispatch`
  /// @param weight_S  [S] in the order of the choice; undefined: all one
  /// @return          [T, D], same dtype as the rows; weighted sums are taken in the dtype of the weights
  /// @throws ShapeError if there are not S weights
  /// @note collective over the group; R D elements leave this rank
  [[nodiscard]] at::Tensor combine(const at::Tensor& rows_RD, const Plan& plan, const at::Tensor& weight_S) const;

 private:
  const dist::ProcessGroup& group_;
  std::int64_t experts_;
};

}  // namespace coterie::experts
