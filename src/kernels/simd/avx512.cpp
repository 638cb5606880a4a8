// The inner loops compiled for AVX-512; CMakeLists.txt gives this file its flags.
#include "kernels/simd/attention_loops.h"
#include "kernels/simd/functions.h"
#include "kernels/simd/gelu_loops.h"
#include "kernels/simd/row_loops.h"

namespace coterie::kernels::simd {

extern const FunctionSet kAvx512 = {
    "AVX-512", all_loops<float>(), all_loops<double>(), {gelu_rows, gelu_rows_backward}};

}  // namespace coterie::kernels::simd
