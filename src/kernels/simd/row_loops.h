// Dropout, and LayerNorm of a residual sum with dropout: row by row, so that a row stays in the first cache.
#pragma once

#include "kernels/simd/attention_loops.h"
#include "kernels/simd/functions.h"
#include "kernels/simd/lanes.h"

namespace coterie::kernels::simd {
namespace {

/// Random words of one row, drawn piece by piece into a small buffer.
constexpr std::int64_t kPiece = 256;

/// Calls use(i, dropped) ... of whole pieces: use(first, count, words).
template <class Use>
[[gnu::always_inline]] inline void for_pieces(const RowPlaces& places, std::int64_t row, std::int64_t width,
                                              std::uint64_t key, const Use& use) {
  alignas(64) std::uint32_t words[kPiece];
  const auto sequence = static_cast<std::uint32_t>(places.sequence[row]);
  const auto token = static_cast<std::uint32_t>(places.token[row]);
  for (std::int64_t first = 0; first < width; first += kPiece) {
    const std::int64_t count = width - first < kPiece ? width - first : kPiece;
    random_words(key, {sequence, token, 0}, first, count, words);
    use(first, count, words);
  }
}

template <class Scalar>
void drop_rows(const Scalar* in, Scalar* out, std::int64_t rows, std::int64_t width, RowPlaces places, Drop drop) {
  const auto kept = static_cast<Scalar>(drop.kept);
  for (std::int64_t r = 0; r < rows; ++r)
    for_pieces(places, r, width, drop.key, [&](std::int64_t first, std::int64_t count, const std::uint32_t* words) {
      const Scalar* const from = in + r * width + first;
      Scalar* const to = out + r * width + first;
      for (std::int64_t i = 0; i < count; ++i) to[i] = words[i] < drop.limit ? Scalar{0} : kept * from[i];
    });
}

template <class Scalar>
void norm(const NormRows<Scalar>& all) {
  const std::int64_t width = all.width;
  const auto kept = static_cast<Scalar>(all.drop.kept);
  for (std::int64_t r = 0; r < all.rows; ++r) {
    const Scalar* const tokens = all.tokens + r * width;
    const Scalar* const residual = all.residual + r * width;
    Scalar* const normal = all.normal + r * width;
    Scalar* const out = all.out + r * width;
    if (all.drop.limit == 0)
      for (std::int64_t i = 0; i < width; ++i) normal[i] = residual[i] + kept * tokens[i];
    else
      for_pieces(all.places, r, width, all.drop.key,
                 [&](std::int64_t first, std::int64_t count, const std::uint32_t* words) {
                   for (std::int64_t i = 0; i < count; ++i)
                     normal[first + i] =
                         residual[first + i] + (words[i] < all.drop.limit ? Scalar{0} : kept * tokens[first + i]);
                 });
    Scalar sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < width; ++i) sum += normal[i];
    const Scalar mean = sum / static_cast<Scalar>(width);
    Scalar squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::int64_t i = 0; i < width; ++i) squares += (normal[i] - mean) * (normal[i] - mean);
    const auto variance = static_cast<double>(squares) / static_cast<double>(width);
    const auto inverse = static_cast<Scalar>(1.0 / __builtin_sqrt(variance + all.epsilon));
    all.inverse[r] = inverse;
    for (std::int64_t i = 0; i < width; ++i) {
      normal[i] = (normal[i] - mean) * inverse;
      out[i] = normal[i] * all.weight[i] + all.bias[i];
    }
  }
}

template <class Scalar>
void norm_backward(const NormGradientRows<Scalar>& all) {
  const std::int64_t width = all.width;
  const auto kept = static_cast<Scalar>(all.drop.kept);
  const Scalar* __restrict const weight = all.weight;
  Scalar* __restrict const weight_gradient = all.weight_gradient;
  Scalar* __restrict const bias_gradient = all.bias_gradient;
  for (std::int64_t r = 0; r < all.rows; ++r) {
    const Scalar* __restrict const gradient = all.gradient + r * width;
    const Scalar* __restrict const normal = all.normal + r * width;
    Scalar* __restrict const residual = all.residual + r * width;
    Scalar sum = 0;
    Scalar product = 0;
#pragma omp simd reduction(+ : sum, product)
    for (std::int64_t i = 0; i < width; ++i) {
      const Scalar weighted = gradient[i] * weight[i];
      sum += weighted;
      product += weighted * normal[i];
      weight_gradient[i] += gradient[i] * normal[i];
      bias_gradient[i] += gradient[i];
    }
    const Scalar mean = sum / static_cast<Scalar>(width);
    const Scalar slope = product / static_cast<Scalar>(width);
    const Scalar inverse = all.inverse[r];
    for (std::int64_t i = 0; i < width; ++i)
      residual[i] = inverse * (gradient[i] * weight[i] - mean - normal[i] * slope);
    if (!all.tokens) continue;
    Scalar* const tokens = all.tokens + r * width;
    for_pieces(all.places, r, width, all.drop.key,
               [&](std::int64_t first, std::int64_t count, const std::uint32_t* words) {
                 for (std::int64_t i = 0; i < count; ++i)
                   tokens[first + i] = words[i] < all.drop.limit ? Scalar{0} : kept * residual[first + i];
               });
  }
}

template <class Scalar>
constexpr Functions<Scalar> all_loops() {
  return {scratch_size<Scalar>, attend<Scalar>, attend_backward<Scalar>,
          drop_rows<Scalar>,    norm<Scalar>,   norm_backward<Scalar>};
}

}  // namespace
}  // namespace coterie::kernels::simd
