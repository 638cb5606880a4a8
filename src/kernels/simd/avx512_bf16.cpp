// The attention of bf16 numbers compiled for AVX512-BF16; CMakeLists.txt gives this file its flags.
#include "kernels/simd/functions.h"
#include "kernels/simd/half_attention_loops.h"

namespace coterie::kernels::simd {

extern const AttentionFunctions<BFloat> kBf16Attention = {half_scratch_size, half_attend<VectorPanels>,
                                                          half_attend_backward<VectorPanels>};

}  // namespace coterie::kernels::simd
