// Attention of one head in bf16 products: scores, softmax and sums in fp32, probabilities and the scores' gradients
// rounded to bf16 before they enter a product, as on a GPU.
//
// Blocks as in attention_loops.h; `Panels` multiplies. Shape letters: N keys and queries, M queries of a block, d
// columns, w pairs of a row.
#pragma once

#include "kernels/simd/attention_loops.h"
#include "kernels/simd/half_gemm_loops.h"

namespace coterie::kernels::simd {
namespace {

/// Rows that any `Panels` pads to, at most.
constexpr std::int64_t kMostRows = 16;

/// Sizes of the scratch matrices of one head, in 32-bit words.
struct PairExtents {
  PairExtents(std::int64_t length, std::int64_t width)
      : keys(round_up(length, kPairs)),
        panels(round_up(length, kPairPanel)),
        pairs((width + 1) / 2),
        row(round_up(width, kPairs)),
        // Strides that are no power of two spread the rows over the cache.
        score_row(panels + kPairs),
        pair_row(keys / 2 + kPairs),
        block(length > 256 ? kLargeBlock / 2 : kLargeBlock) {}
  std::int64_t keys;       ///< columns of the scores
  std::int64_t panels;     ///< columns of the transposed matrices
  std::int64_t pairs;      ///< w
  std::int64_t row;        ///< padded d
  std::int64_t score_row;  ///< stride of the scores
  std::int64_t pair_row;   ///< stride of rows of pairs of keys
  std::int64_t block;      ///< M
};

inline std::int64_t half_scratch_size(std::int64_t length, std::int64_t width) {
  const PairExtents extents(length, width);
  const std::int64_t panels = 2 * extents.pairs * extents.panels;
  const std::int64_t keys = 3 * round_up(length, kMostRows) * extents.row;
  const std::int64_t block =
      kLargeBlock * (3 * extents.row + 2 * extents.pairs + 3 * extents.score_row + extents.pair_row);
  return panels + keys + block + 4 * (extents.score_row + kWordStep) + 16 * kPanel<float>;
}

/// Turns the scores of a query into exp(scale (score - max)), in place.
/// @return  max scaled, and the sum
inline Softmax<float> scaled_exponentials(float* scores, std::int64_t count, std::int64_t padded, float scale) {
  for (std::int64_t j = count; j < padded; ++j) scores[j] = -__builtin_inff();
  __m512 largest = _mm512_loadu_ps(scores);
  for (std::int64_t j = kPairs; j < padded; j += kPairs) largest = _mm512_max_ps(_mm512_loadu_ps(scores + j), largest);
  const float max = scale * _mm512_reduce_max_ps(largest);
  Vector<float> sum = {};
  for (std::int64_t j = 0; j < padded; j += kPairs) {
    const Vector<float> value = exp_of<float>(scale * load(scores + j) - max);
    store(scores + j, value);
    sum += value;
  }
  return {max, sum_of<float>(sum)};
}

/// A row of probabilities, without those that are dropped, as pairs of keys.
inline void drop_and_pair(const float* from, std::int64_t padded, const std::uint32_t* words, std::uint32_t limit,
                          Pair* to) {
  const __m512i bound = _mm512_set1_epi32(static_cast<int>(limit));
  for (std::int64_t j = 0; j < padded; j += kPairs) {
    const __mmask16 kept =
        limit == 0 ? static_cast<__mmask16>(0xFFFF) : _mm512_cmpge_epu32_mask(_mm512_loadu_si512(words + j), bound);
    const auto halves = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(kept, from + j));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + j / 2), halves);
  }
}

template <class Panels>
void half_attend(const Head<BFloat>& head, const HeadOutput<BFloat>& output, float* memory) {
  static_assert(Panels::kRows <= kMostRows);
  const PairExtents extents(head.length, head.width);
  const Panels panels(head.length);
  Scratch<float> scratch(memory);
  const auto pairs = [&](std::int64_t rows, std::int64_t row) {
    return Rows<Pair>{reinterpret_cast<Pair*>(scratch.take(rows * row)), row};
  };
  const float scale = score_scale(head);
  Pair* const key_wN = pairs(extents.pairs, extents.panels).data;
  const Rows<Pair> value_Nd = pairs((head.length + 1) / 2, extents.row);
  const Rows<Pair> query_Mw = pairs(extents.block, extents.pairs);
  const Rows<Pair> weights_MN = pairs(extents.block, extents.pair_row);
  const Rows<float> out_Md = {scratch.take(extents.block * extents.row), extents.row};
  const Rows<float> scores_MN = {scratch.take(extents.block * extents.score_row), extents.score_row};
  auto* const words = reinterpret_cast<std::uint32_t*>(scratch.take(2 * (extents.score_row + kWordStep)));
  transpose_pairs(head.key, head.length, extents.panels, head.width, key_wN);
  pair_rows(head.value, head.length, head.width, value_Nd);
  float inverse[kLargeBlock];
  for (std::int64_t first = 0; first < head.length; first += extents.block) {
    const std::int64_t here = head.length - first < extents.block ? head.length - first : extents.block;
    const std::int64_t rows = round_up(here, Panels::kRows);
    for (std::int64_t i = 0; i < here; ++i)
      pair_row(head.query.data + (first + i) * head.query.stride, head.width, query_Mw.data + i * query_Mw.stride);
    multiply_pair_panels(panels, {query_Mw.data, query_Mw.stride, 1}, rows, extents.pairs, key_wN, extents.keys,
                         scores_MN);
    for (std::int64_t i = 0; i < here; ++i) {
      float* const row = scores_MN.data + i * scores_MN.stride;
      const Softmax<float> softmax = scaled_exponentials(row, head.length, extents.keys, scale);
      output.log_sum[first + i] = softmax.max + log_of(softmax.sum);
      inverse[i] = static_cast<float>(head.drop.kept) / softmax.sum;
      if (head.drop.limit != 0) draw(head, first + i, words);
      drop_and_pair(row, extents.keys, words, head.drop.limit, weights_MN.data + i * weights_MN.stride);
    }
    multiply_pairs<Into::overwrite>(panels, {weights_MN.data, weights_MN.stride, 1}, rows, (head.length + 1) / 2,
                                    {value_Nd.data, value_Nd.stride}, extents.row, out_Md);
    for (std::int64_t i = 0; i < here; ++i)
      write_rows<float, BFloat>({out_Md.data + i * out_Md.stride, out_Md.stride}, 1, head.width, inverse[i],
                                {output.out.data + (first + i) * output.out.stride, output.out.stride});
  }
}

/// What the gradient of one query's scores is made of.
struct QueryGradient {
  const float *scores, *gradients;  ///< [N] of the probabilities, before dropout
  float log_sum, delta;             ///< delta: the sum over keys of probability times its gradient
  const std::uint32_t* words;       ///< [N] dropout bits; unused where nothing is dropped
};

struct WeightsAndGradients {
  __m512i weights, gradients;  ///< bf16 in the low halves
};

/// Of 16 keys of one query: the dropped probabilities, not yet multiplied by `kept`, and the gradients of the scores.
[[gnu::always_inline]] inline WeightsAndGradients weigh(const QueryGradient& query, std::int64_t j, __mmask16 inside,
                                                        float scale, const Drop& drop) {
  const auto weight = (__m512)exp_of<float>(scale * load(query.scores + j) - query.log_sum);
  __mmask16 kept = inside;
  if (drop.limit != 0)
    kept &=
        _mm512_cmpge_epu32_mask(_mm512_loadu_si512(query.words + j), _mm512_set1_epi32(static_cast<int>(drop.limit)));
  const __m512 gradient =
      _mm512_maskz_mul_ps(kept, _mm512_set1_ps(static_cast<float>(drop.kept)), _mm512_loadu_ps(query.gradients + j));
  return {rounded(_mm512_maskz_mov_ps(kept, weight)),
          rounded(_mm512_maskz_mul_ps(inside, weight, _mm512_sub_ps(gradient, _mm512_set1_ps(query.delta))))};
}

/// Where the results of two queries go.
struct QueryPairRows {
  Pair *weights, *gradients;  ///< [N] pairs of the two queries
  Pair* by_key[2];            ///< [N / 2] each query's gradients in pairs of keys
};

inline void weigh_two(const QueryGradient (&queries)[2], bool both, const Head<BFloat>& head, float scale,
                      const QueryPairRows& to) {
  const __m512i none = _mm512_setzero_si512();
  for (std::int64_t j = 0; j < head.length; j += kPairs) {
    const __mmask16 inside = first_lanes(head.length - j);
    const WeightsAndGradients low = weigh(queries[0], j, inside, scale, head.drop);
    const WeightsAndGradients high =
        both ? weigh(queries[1], j, inside, scale, head.drop) : WeightsAndGradients{none, none};
    _mm512_storeu_si512(to.weights + j, paired(low.weights, high.weights));
    _mm512_storeu_si512(to.gradients + j, paired(low.gradients, high.gradients));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to.by_key[0] + j / 2), _mm512_cvtepi32_epi16(low.gradients));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to.by_key[1] + j / 2), _mm512_cvtepi32_epi16(high.gradients));
  }
}

/// The sum over columns of an output row times its gradient: that over keys of probability times its gradient.
inline float row_delta(const BFloat* out, const BFloat* out_gradient, std::int64_t width) {
  Vector<float> products = {};
  for (std::int64_t c = 0; c < width; c += kPairs)
    products += load_some(out + c, width - c) * load_some(out_gradient + c, width - c);
  return sum_of<float>(products);
}

/// Scratch matrices of the backward pass of one head.
struct BackwardScratch {
  BackwardScratch(const Head<BFloat>& head, const PairExtents& extents, float* memory) : scratch_(memory) {
    key_wN = pairs(extents.pairs, extents.panels).data;
    value_wN = pairs(extents.pairs, extents.panels).data;
    key_Nd = pairs((head.length + 1) / 2, extents.row);
    key_gradient_Nd = floats(round_up(head.length, kMostRows), extents.row);
    value_gradient_Nd = floats(round_up(head.length, kMostRows), extents.row);
    query_Mw = pairs(extents.block, extents.pairs);
    out_gradient_Mw = pairs(extents.block, extents.pairs);
    query_Md = pairs(extents.block / 2, extents.row);
    out_gradient_Md = pairs(extents.block / 2, extents.row);
    query_gradient_Md = floats(extents.block, extents.row);
    scores_MN = floats(extents.block, extents.score_row);
    gradients_MN = floats(extents.block, extents.score_row);
    weights_MN = pairs(extents.block / 2, extents.score_row);
    score_gradient_MN = pairs(extents.block / 2, extents.score_row);
    by_key_MN = pairs(extents.block, extents.pair_row);
    for (auto& row : words) row = reinterpret_cast<std::uint32_t*>(scratch_.take(2 * (extents.score_row + kWordStep)));
  }

  Pair *key_wN, *value_wN;  ///< transposed
  Rows<Pair> key_Nd;        ///< pairs of keys
  Rows<float> key_gradient_Nd, value_gradient_Nd;
  Rows<Pair> query_Mw, out_gradient_Mw;  ///< pairs of columns
  Rows<Pair> query_Md, out_gradient_Md;  ///< pairs of queries
  Rows<float> query_gradient_Md;
  Rows<float> scores_MN, gradients_MN;
  Rows<Pair> weights_MN, score_gradient_MN;  ///< pairs of queries
  Rows<Pair> by_key_MN;                      ///< the scores' gradients, pairs of keys
  std::uint32_t* words[2];                   ///< dropout bits of two queries

 private:
  Rows<Pair> pairs(std::int64_t rows, std::int64_t row) {
    return {reinterpret_cast<Pair*>(scratch_.take(rows * row)), row};
  }
  Rows<float> floats(std::int64_t rows, std::int64_t row) { return {scratch_.take(rows * row), row}; }

  Scratch<float> scratch_;
};

/// From scores and gradients of the probabilities of a block to what the last three products read.
inline void weigh_block(const Head<BFloat>& head, const HeadGradient<BFloat>& gradient, std::int64_t first,
                        std::int64_t here, BackwardScratch& in) {
  const float scale = score_scale(head);
  for (std::int64_t i = 0; i < here; i += 2) {
    QueryGradient queries[2];
    for (std::int64_t n = 0; n < 2 && i + n < here; ++n) {
      const std::int64_t query = first + i + n;
      if (head.drop.limit != 0) draw(head, query, in.words[n]);
      queries[n] = {in.scores_MN.data + (i + n) * in.scores_MN.stride,
                    in.gradients_MN.data + (i + n) * in.gradients_MN.stride, gradient.log_sum[query],
                    row_delta(gradient.out.data + query * gradient.out.stride,
                              gradient.out_gradient.data + query * gradient.out_gradient.stride, head.width),
                    in.words[n]};
    }
    Pair* const by_key = in.by_key_MN.data + i * in.by_key_MN.stride;
    weigh_two(queries, i + 1 < here, head, scale,
              {in.weights_MN.data + i / 2 * in.weights_MN.stride,
               in.score_gradient_MN.data + i / 2 * in.score_gradient_MN.stride,
               {by_key, by_key + in.by_key_MN.stride}});
  }
}

template <class Panels>
void half_attend_backward(const Head<BFloat>& head, const HeadGradient<BFloat>& gradient, float* memory) {
  static_assert(Panels::kRows <= kMostRows);
  const PairExtents extents(head.length, head.width);
  const Panels panels(head.length);
  const std::int64_t padded_rows = round_up(head.length, Panels::kRows);
  const float scale = score_scale(head);
  BackwardScratch s(head, extents, memory);
  transpose_pairs(head.key, head.length, extents.panels, head.width, s.key_wN);
  transpose_pairs(head.value, head.length, extents.panels, head.width, s.value_wN);
  pair_rows(head.key, head.length, head.width, s.key_Nd);
  for (std::int64_t i = 0; i < padded_rows * extents.row; ++i)
    s.key_gradient_Nd.data[i] = s.value_gradient_Nd.data[i] = 0.0F;
  for (std::int64_t first = 0; first < head.length; first += extents.block) {
    const std::int64_t here = head.length - first < extents.block ? head.length - first : extents.block;
    const std::int64_t rows = round_up(here, Panels::kRows);
    const Rows<const BFloat> query = {head.query.data + first * head.query.stride, head.query.stride};
    const Rows<const BFloat> out_gradient = {gradient.out_gradient.data + first * gradient.out_gradient.stride,
                                             gradient.out_gradient.stride};
    for (std::int64_t i = 0; i < here; ++i) {
      pair_row(query.data + i * query.stride, head.width, s.query_Mw.data + i * extents.pairs);
      pair_row(out_gradient.data + i * out_gradient.stride, head.width, s.out_gradient_Mw.data + i * extents.pairs);
    }
    pair_rows(query, here, head.width, s.query_Md);
    pair_rows(out_gradient, here, head.width, s.out_gradient_Md);
    multiply_pair_panels(panels, {s.query_Mw.data, extents.pairs, 1}, rows, extents.pairs, s.key_wN, extents.keys,
                         s.scores_MN);
    multiply_pair_panels(panels, {s.out_gradient_Mw.data, extents.pairs, 1}, rows, extents.pairs, s.value_wN,
                         extents.keys, s.gradients_MN);
    weigh_block(head, gradient, first, here, s);
    const std::int64_t query_pairs = (here + 1) / 2;
    multiply_pairs<Into::add>(panels, {s.weights_MN.data, 1, s.weights_MN.stride}, padded_rows, query_pairs,
                              {s.out_gradient_Md.data, extents.row}, extents.row, s.value_gradient_Nd);
    multiply_pairs<Into::add>(panels, {s.score_gradient_MN.data, 1, s.score_gradient_MN.stride}, padded_rows,
                              query_pairs, {s.query_Md.data, extents.row}, extents.row, s.key_gradient_Nd);
    multiply_pairs<Into::overwrite>(panels, {s.by_key_MN.data, s.by_key_MN.stride, 1}, rows, (head.length + 1) / 2,
                                    {s.key_Nd.data, extents.row}, extents.row, s.query_gradient_Md);
    write_rows<float, BFloat>(s.query_gradient_Md, here, head.width, scale,
                              {gradient.query.data + first * gradient.query.stride, gradient.query.stride});
  }
  write_rows<float, BFloat>(s.key_gradient_Nd, head.length, head.width, scale, gradient.key);
  write_rows<float, BFloat>(s.value_gradient_Nd, head.length, head.width, static_cast<float>(head.drop.kept),
                            gradient.value);
}

}  // namespace
}  // namespace coterie::kernels::simd
