// The inner loops compiled for AVX2; CMakeLists.txt gives this file its flags.
#include "kernels/simd/attention_loops.h"
#include "kernels/simd/functions.h"
#include "kernels/simd/gelu_loops.h"
#include "kernels/simd/row_loops.h"

namespace coterie::kernels::simd {

extern const FunctionSet kAvx2 = {
    "avx2", all_loops<float>(), all_loops<double>(), all_loops<BFloat>(), gelu_loops<float>(), gelu_loops<BFloat>()};

}  // namespace coterie::kernels::simd
