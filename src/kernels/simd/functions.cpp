// The choice among the instruction sets.
#include "kernels/simd/functions.h"

#include <cstdlib>
#include <string_view>

#include "base/error.h"

namespace coterie::kernels::simd {
namespace {

const FunctionSet& chosen() {
  const char* const wanted = std::getenv("COTERIE_INSTRUCTIONS");
  for (const FunctionSet* set : {&kAvx512, &kAvx2, &kBase})
    if (runs(*set) && (wanted == nullptr || std::string_view(wanted) == set->name)) return *set;
  throw ConfigError(
      str("kernels: COTERIE_INSTRUCTIONS must be sse2, avx2 or avx512, as far as this processor runs it, got '", wanted,
          "'"));
}

}  // namespace

bool runs(const FunctionSet& set) {
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
