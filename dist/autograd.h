// Collectives that gradients flow through.
#pragma once

#include <ATen/core/Tensor.h>

#include "dist/process_group.h"

namespace coterie::dist {

/// `ProcessGroup::all_to_all` whose backward sends each row's gradient back where the row came from.
///
/// Backward is a collective as well: on every rank of the group `rows` must require a gradient, with zero rows too, and
/// the result must reach what is differentiated. On a group of one the result is `rows` itself.
///
/// @param group    outlives backward
/// @param rows     [N, ...], contiguous
/// @param send     rows to each rank; sums to N
/// @param receive  rows from each rank; sums to R
/// @return         [R, ...]
/// @throws as `ProcessGroup::all_to_all`, in forward and in backward
/// @note collective over the group, in forward and in backward
[[nodiscard]] at::Tensor exchange(const ProcessGroup& group, const at::Tensor& rows, const Splits& send,
                                  const Splits& receive);

}  // namespace coterie::dist
