// The small matrix product of bf16 numbers in pairs by AMX: tiles of 16 rows of 64 bytes, one instruction for 16 x 16
// sums over 16 pairs.
#pragma once

#include "kernels/simd/half_gemm_loops.h"

namespace coterie::kernels::simd {
namespace {

/// Pairs of a row of a tile, and rows of one.
constexpr std::int64_t kTilePairs = 16;

/// What the processor's tiles are, as its instruction wants it.
struct TileConfig {
  std::uint8_t palette = 1, start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

// GCC's own names take literal numbers only, and do not say what memory is read.
inline void load_config(const TileConfig& config) { __asm__ volatile("ldtilecfg %0" : : "m"(config)); }
inline void release_tiles() { __asm__ volatile("tilerelease"); }
template <int tile>
[[gnu::always_inline]] inline void load_tile(const void* from, std::int64_t row_bytes) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(row_bytes), "i"(tile) : "memory");
}
template <int tile>
[[gnu::always_inline]] inline void store_tile(void* to, std::int64_t row_bytes) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(row_bytes), "i"(tile) : "memory");
}
template <int tile>
[[gnu::always_inline]] inline void clear_tile() {
  __asm__ volatile("tilezero %%tmm%c0" : : "i"(tile));
}
/// sums += left right
template <int sums, int left, int right>
[[gnu::always_inline]] inline void add_products() {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sums), "i"(left), "i"(right));
}

/// Transposes 16 x 16 pairs whose rows lie apart.
inline void transpose_tile(const Pair* from, std::int64_t stride, Pair* to) {
  __m512i row[16];
  __m512i mixed[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) row[i] = _mm512_loadu_si512(from + i * stride);
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    mixed[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
    mixed[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
  }
  // Lane l of row[4 g + c]: column 4 l + c of rows 4 g to 4 g + 3.
#pragma GCC unroll 4
  for (int g = 0; g < 16; g += 4) {
    row[g] = _mm512_unpacklo_epi64(mixed[g], mixed[g + 2]);
    row[g + 1] = _mm512_unpackhi_epi64(mixed[g], mixed[g + 2]);
    row[g + 2] = _mm512_unpacklo_epi64(mixed[g + 1], mixed[g + 3]);
    row[g + 3] = _mm512_unpackhi_epi64(mixed[g + 1], mixed[g + 3]);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i even_low = _mm512_shuffle_i32x4(row[c], row[4 + c], 0x88);
    const __m512i odd_low = _mm512_shuffle_i32x4(row[c], row[4 + c], 0xDD);
    const __m512i even_high = _mm512_shuffle_i32x4(row[8 + c], row[12 + c], 0x88);
    const __m512i odd_high = _mm512_shuffle_i32x4(row[8 + c], row[12 + c], 0xDD);
    _mm512_storeu_si512(to + c * kTilePairs, _mm512_shuffle_i32x4(even_low, even_high, 0x88));
    _mm512_storeu_si512(to + (4 + c) * kTilePairs, _mm512_shuffle_i32x4(odd_low, odd_high, 0x88));
    _mm512_storeu_si512(to + (8 + c) * kTilePairs, _mm512_shuffle_i32x4(even_low, even_high, 0xDD));
    _mm512_storeu_si512(to + (12 + c) * kTilePairs, _mm512_shuffle_i32x4(odd_low, odd_high, 0xDD));
  }
}

/// VectorPanels on tiles, which are this thread's for as long as the object lives.
class TilePanels {
 public:
  static constexpr std::int64_t kRows = 16;

  /// Every depth modulo a tile's pairs is 0 or that of (keys + 1) / 2: blocks of queries are whole tiles but for the
  /// last, which ends where the keys end.
  explicit TilePanels(std::int64_t keys) {
    const std::int64_t last = (keys + 1) / 2 % kTilePairs;
    TileConfig config;
    for (int tile = 0; tile < kLastLeft; ++tile) set(config, tile, kTilePairs, kTilePairs);
    if (last > 0) {
      set(config, kLastLeft, kRows, last);
      set(config, kLastRight, last, kTilePairs);
      set(config, kLastRight + 1, last, kTilePairs);
    }
    load_config(config);
  }
  TilePanels(const TilePanels&) = delete;
  TilePanels& operator=(const TilePanels&) = delete;
  ~TilePanels() { release_tiles(); }

  template <Into into>
  void multiply(Left<Pair> a, std::int64_t rows, std::int64_t depth, Rows<const Pair> b, std::int64_t columns,
                Rows<float> c) const {
    const bool wide = columns > kPairs;
    for (std::int64_t i = 0; i < rows; i += kRows) {
      float* const out = c.data + i * c.stride;
      begin<into>(out, c.stride, wide);
      const Pair* left = a.data + i * a.row;
      const Pair* right = b.data;
      std::int64_t k = 0;
      for (; k + kTilePairs <= depth; k += kTilePairs) {
        add<kLeft, kRight>({left, a.row, a.depth}, {right, b.stride}, wide);
        left += kTilePairs * a.depth;
        right += kTilePairs * b.stride;
      }
      if (k < depth) add<kLastLeft, kLastRight>({left, a.row, a.depth}, {right, b.stride}, wide);
      store_tile<kSums>(out, bytes(c.stride));
      if (wide) store_tile<kSums + 1>(out + kPairs, bytes(c.stride));
    }
  }

 private:
  // Numbers of tiles; behind sums and right sides comes that of the right half of a panel.
  static constexpr int kSums = 0, kLeft = 2, kRight = 3, kLastLeft = 5, kLastRight = 6;

  static void set(TileConfig& config, int tile, std::int64_t rows, std::int64_t pairs) {
    config.rows[tile] = static_cast<std::uint8_t>(rows);
    config.row_bytes[tile] = static_cast<std::uint16_t>(bytes(pairs));
  }
  static std::int64_t bytes(std::int64_t words) { return words * static_cast<std::int64_t>(sizeof(Pair)); }

  template <Into into>
  static void begin(const float* out, std::int64_t stride, bool wide) {
    if constexpr (into == Into::add) {
      load_tile<kSums>(out, bytes(stride));
      if (wide) load_tile<kSums + 1>(out + kPairs, bytes(stride));
    } else {
      clear_tile<kSums>();
      clear_tile<kSums + 1>();
    }
  }

  template <int left, int right>
  static void add(Left<Pair> a, Rows<const Pair> b, bool wide) {
    if (a.depth == 1) {
      load_tile<left>(a.data, bytes(a.row));
    } else {
      alignas(64) Pair turned[kTilePairs * kTilePairs];
      transpose_tile(a.data, a.depth, turned);
      load_tile<left>(turned, bytes(kTilePairs));
    }
    load_tile<right>(b.data, bytes(b.stride));
    add_products<kSums, left, right>();
    if (!wide) return;
    load_tile<right + 1>(b.data + kPairs, bytes(b.stride));
    add_products<kSums + 1, left, right + 1>();
  }
};

}  // namespace
}  // namespace coterie::kernels::simd
