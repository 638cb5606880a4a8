// Repeating rows for their neighbours, with sums in the compute dtype in backward.
#pragma once

#include <ATen/core/Tensor.h>

namespace coterie::kernels {

/// Each row as often as it is named: out[i] = rows[from[i]], from ascending.
///
/// The gradient of a row is the sum over its copies in their order, taken in fp32 where the rows are bf16 and rounded
/// once.
///
/// @param rows_ND  [N, D]
/// @param from_S   int64 [S], ascending, in [0, N)
/// @param count_N  int64 [N], how often each row is named; sums to S
/// @return         [S, D]
[[nodiscard]] at::Tensor spread_rows(const at::Tensor& rows_ND, const at::Tensor& from_S, const at::Tensor& count_N);

}  // namespace coterie::kernels
