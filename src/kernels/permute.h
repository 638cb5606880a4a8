// Reordering of rows, with a gather in backward too: no scatter, hence no dependence on the order of additions.
#pragma once

#include <ATen/core/Tensor.h>

namespace coterie::kernels {

/// Rows in another order: out[i] = rows[order[i]].
///
/// @param rows_SD    [S, D]
/// @param order_S    int64 [S], a permutation
/// @param inverse_S  int64 [S], its inverse
/// @return           [S, D]; the gradient is gathered by `inverse_S`
[[nodiscard]] at::Tensor permute_rows(const at::Tensor& rows_SD, const at::Tensor& order_S,
                                      const at::Tensor& inverse_S);

}  // namespace coterie::kernels
