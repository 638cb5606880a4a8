// The choice among the instruction sets.
#include "kernels/simd/functions.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "base/error.h"

namespace coterie::kernels::simd {
namespace {

const FunctionSet& chosen() {
  const char* const wanted = std::getenv("COTERIE_INSTRUCTIONS");
  for (const FunctionSet* set : {&amx_bf16(), &avx512_bf16(), &kAvx512, &kAvx2, &kBase})
    if ((wanted == nullptr || std::string_view(wanted) == set->name) && runs(*set)) return *set;
  throw ConfigError(
      str("kernels: COTERIE_INSTRUCTIONS must be sse2, avx2, avx512, avx512_bf16 or amx_bf16, as far as processor "
          "and system run it, got '",
          wanted, "'"));
}

FunctionSet with_attention(const char* name, const AttentionFunctions<BFloat>& attention) {
  FunctionSet set = kAvx512;
  set.name = name;
  set.half.attention = attention;
  return set;
}

bool has_tiles() {
  unsigned int eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned int kBoth = 1U << 22 | 1U << 24;  // AMX-BF16 and AMX-TILE, which compilers name differently
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kBoth) == kBoth;
}

// Linux keeps the tiles' large state only for processes that have asked for it.
bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace

const FunctionSet& avx512_bf16() {
  static const FunctionSet set = with_attention("avx512_bf16", kBf16Attention);
  return set;
}

const FunctionSet& amx_bf16() {
  static const FunctionSet set = with_attention("amx_bf16", kAmxAttention);
  return set;
}

bool runs(const FunctionSet& set) {
  if (&set == &amx_bf16()) return runs(avx512_bf16()) && has_tiles() && may_use_tiles();
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

bool multiplies_halves() { return &function_set() == &avx512_bf16() || &function_set() == &amx_bf16(); }

}  // namespace coterie::kernels::simd
