#include "kernels/simd/functions.h"

namespace coterie::kernels::simd {
namespace {

const FunctionSet& widest() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kAvx2;
  return kBase;
}

}  // namespace

const FunctionSet& function_set() {
  static const FunctionSet& set = widest();
  return set;
}

template <>
const Functions<float>& functions<float>() {
  return function_set().single;
}

template <>
const Functions<double>& functions<double>() {
  return function_set().twice;
}

}  // namespace coterie::kernels::simd
