// From a tensor's dtype to the type that the inner loops see in memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <type_traits>

#include "base/error.h"
#include "kernels/simd/functions.h"

namespace coterie::kernels {

/// The dtype in which kernels compute, and keep what they save for backward, for tensors of `stored`.
[[nodiscard]] inline at::ScalarType compute_dtype(at::ScalarType stored) {
  return stored == at::kBFloat16 ? at::kFloat : stored;
}

/// Calls use(Stored{}) with float, double or simd::BFloat.
/// @throws ShapeError naming `kernel` for any other dtype
template <class Use>
void with_stored(at::ScalarType dtype, const char* kernel, const Use& use) {
  if (dtype == at::kFloat) return use(float{});
  if (dtype == at::kDouble) return use(double{});
  if (dtype == at::kBFloat16) return use(simd::BFloat{});
  throw ShapeError(coterie::str(kernel, ": dtype must be one of Float, Double, BFloat16, got ", dtype));
}

/// The dtype of tensors of `Stored`.
template <class Stored>
inline constexpr at::ScalarType kDtypeOf = at::CppTypeToScalarType<Stored>::value;
template <>
inline constexpr at::ScalarType kDtypeOf<simd::BFloat> = at::kBFloat16;

/// @throws ShapeError unless the tensor is of `Stored`
template <class Stored>
void expect_stored(const at::Tensor& tensor) {
  if (tensor.scalar_type() != kDtypeOf<Stored>)
    throw ShapeError(coterie::str("kernels: a tensor must be ", kDtypeOf<Stored>, " like the others, got ",
                                  tensor.scalar_type(), " ", tensor.sizes()));
}

/// The numbers of a dense tensor, as the inner loops read and write them.
/// @throws ShapeError unless the tensor is of `Stored`
template <class Stored>
const Stored* numbers(const at::Tensor& tensor) {
  expect_stored<Stored>(tensor);
  return static_cast<const Stored*>(tensor.const_data_ptr());
}
template <class Stored>
Stored* writable_numbers(const at::Tensor& tensor) {
  expect_stored<Stored>(tensor);
  return static_cast<Stored*>(tensor.mutable_data_ptr());
}

/// The loops of this processor.
template <class Stored>
const simd::Functions<Stored>& loops() {
  const simd::FunctionSet& set = simd::function_set();
  if constexpr (std::is_same_v<Stored, float>)
    return set.single;
  else if constexpr (std::is_same_v<Stored, double>)
    return set.twice;
  else
    return set.half;
}

}  // namespace coterie::kernels
