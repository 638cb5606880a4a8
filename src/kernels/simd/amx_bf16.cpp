// The attention of bf16 numbers compiled for AMX; CMakeLists.txt gives this file its flags.
#include "kernels/simd/functions.h"
#include "kernels/simd/half_attention_loops.h"
#include "kernels/simd/tile_gemm_loops.h"

namespace coterie::kernels::simd {
namespace {

static_assert(kLargeBlock / 2 % (2 * kTilePairs) == 0, "pairs of queries are whole tiles in all blocks but the last");

// The depth of the scores' products is the width of a head: where it does not fill tiles, vectors serve.
bool fills_tiles(const Head<BFloat>& head) { return head.width % (2 * kTilePairs) == 0; }

void attend(const Head<BFloat>& head, const HeadOutput<BFloat>& output, float* memory) {
  (fills_tiles(head) ? half_attend<TilePanels> : half_attend<VectorPanels>)(head, output, memory);
}

void attend_backward(const Head<BFloat>& head, const HeadGradient<BFloat>& gradient, float* memory) {
  (fills_tiles(head) ? half_attend_backward<TilePanels> : half_attend_backward<VectorPanels>)(head, gradient, memory);
}

}  // namespace

extern const AttentionFunctions<BFloat> kAmxAttention = {half_scratch_size, attend, attend_backward};

}  // namespace coterie::kernels::simd
