// The choice among the instruction sets.
#include "kernels/simd/functions.h"

#include <cstdlib>
#include <string_view>

#include "base/error.h"

namespace coterie::kernels::simd {
namespace {

const FunctionSet& chosen() {
  const char* const wanted = std::getenv("COTERIE_INSTRUCTIONS");
  for (const FunctionSet* set : {&avx512_bf16(), &kAvx512, &kAvx2, &kBase})
    if (runs(*set) && (wanted == nullptr || std::string_view(wanted) == set->name)) return *set;
  throw ConfigError(
      str("kernels: COTERIE_INSTRUCTIONS must be sse2, avx2, avx512 or avx512_bf16, as far as this processor runs it, "
          "got '",
          wanted, "'"));
}

}  // namespace

const FunctionSet& avx512_bf16() {
  static const FunctionSet set = [] {
    FunctionSet widest = kAvx512;
    widest.name = "avx512_bf16";
    widest.half.attention = kBf16Attention;
    return widest;
  }();
  return set;
}

bool runs(const FunctionSet& set) {
  if (&set == &avx512_bf16()) return runs(kAvx512) && __builtin_cpu_supports("avx512bf16");
  if (&set == &kAvx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (&set == &kAvx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return true;
}

const FunctionSet& function_set() {
  static const FunctionSet& set = chosen();
  return set;
}

}  // namespace coterie::kernels::simd
