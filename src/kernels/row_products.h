// Matrix products of packed rows, where bf16 is no plain case.
//
// The library compiles a kernel for every shape of a bf16 product and keeps it, half a megabyte each; the number of
// rows differs with every batch and every expert. Rows are therefore cut: all but a few form a product whose number of
// rows is a multiple of a step, the rest one of a step's rows, filled up with zeros. fp32 and double products, and
// those of a GPU, have no such kernels and run whole.
//
// Without instructions for bf16 the library multiplies it ten to twenty times slower than fp32 (measured with AVX2).
// Where the instruction set in use has none, the numbers are multiplied as the floats that they stand for, a block of
// rows at a time; what is bf16 in the end is rounded once, as it is by those instructions.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace coterie::kernels {

/// What numbers stored as `stored` are multiplied in at `place`: themselves, or fp32 for bf16 as said above.
[[nodiscard]] at::ScalarType multiplied_dtype(at::ScalarType stored, at::Device place);

/// x W^T, or x W^T + b. Outside any graph.
/// @param rows_RI    [R, I]; R may be 0
/// @param weight_OI  [O, I], same dtype; may be a transposed view
/// @param bias_O     [O], same dtype
/// @return           [R, O], same dtype
[[nodiscard]] at::Tensor row_product(const at::Tensor& rows_RI, const at::Tensor& weight_OI,
                                     const std::optional<at::Tensor>& bias_O = {});

/// g^T x, the gradient of a weight: rounded in the dtype that the numbers are multiplied in, at most twice, and added
/// in it or in `master`.
/// @param gradient_RO, rows_RI  [R, O] and [R, I]
/// @return                      [O, I] in `master`
[[nodiscard]] at::Tensor weight_gradient(const at::Tensor& gradient_RO, const at::Tensor& rows_RI,
                                         at::ScalarType master);

}  // namespace coterie::kernels
