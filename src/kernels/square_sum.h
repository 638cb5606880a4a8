// The sum of squares of many numbers.
#pragma once

#include <ATen/core/Tensor.h>

namespace coterie::kernels {

/// The sum of the squares. Norms of rows of 512 numbers are taken in the numbers' own type, their squares added in
/// double: as near as that type is in such a row, whatever the count, and without a copy of all numbers in double.
///
/// @param numbers_P  [P], float or double; in float none above 1e17
/// @return           [] double, where the numbers are; the same bits whenever these are the same
[[nodiscard]] at::Tensor square_sum(const at::Tensor& numbers_P);

}  // namespace coterie::kernels
