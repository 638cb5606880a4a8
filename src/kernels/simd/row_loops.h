// Dropout, and LayerNorm of a residual sum with dropout: row by row, so that a row stays in the first cache.
#pragma once

#include "kernels/simd/attention_loops.h"
#include "kernels/simd/functions.h"
#include "kernels/simd/lanes.h"

namespace coterie::kernels::simd {
namespace {

/// Random words of one row, drawn piece by piece into a small buffer.
constexpr std::int64_t kPiece = 256;

/// Calls use(first, count, words) for each piece of a row; the words have room for a vector more.
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

template <class Stored>
void drop_rows(const Stored* in, Stored* out, std::int64_t rows, std::int64_t width, RowPlaces places, Drop drop) {
  using Scalar = Compute<Stored>;
  const auto kept = static_cast<Scalar>(drop.kept);
  for (std::int64_t r = 0; r < rows; ++r)
    for_pieces(places, r, width, drop.key, [&](std::int64_t first, std::int64_t count, const std::uint32_t* words) {
      const Stored* const from = in + r * width + first;
      Stored* const to = out + r * width + first;
      for (std::int64_t i = 0; i < count; i += kLanes<Scalar>)
        store_some(to + i, load_some(from + i, count - i) * factors_of(words + i, drop.limit, kept), count - i);
    });
}

/// residual + dropout(tokens) of one row, into `sum`, which has room for a vector more.
template <class Stored>
inline void add_row(const NormRows<Stored>& all, std::int64_t r, Compute<Stored>* sum) {
  using Scalar = Compute<Stored>;
  const auto kept = static_cast<Scalar>(all.drop.kept);
  const Stored* const tokens = all.tokens + r * all.width;
  const Stored* const residual = all.residual + r * all.width;
  if (all.drop.limit == 0) {
    for (std::int64_t i = 0; i < all.width; i += kLanes<Scalar>)
      store(sum + i, load_some(residual + i, all.width - i) + kept * load_some(tokens + i, all.width - i));
    return;
  }
  for_pieces(all.places, r, all.width, all.drop.key,
             [&](std::int64_t first, std::int64_t count, const std::uint32_t* words) {
               for (std::int64_t i = 0; i < count; i += kLanes<Scalar>)
                 store(sum + first + i,
                       load_some(residual + first + i, count - i) +
                           load_some(tokens + first + i, count - i) * factors_of(words + i, all.drop.limit, kept));
             });
}

template <class Stored>
void norm(const NormRows<Stored>& all) {
  using Scalar = Compute<Stored>;
  const std::int64_t width = all.width;
  Scalar* const row = all.row;
  for (std::int64_t r = 0; r < all.rows; ++r) {
    add_row(all, r, row);
    Scalar sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < width; ++i) sum += row[i];
    const Scalar mean = sum / static_cast<Scalar>(width);
    Scalar squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::int64_t i = 0; i < width; ++i) squares += (row[i] - mean) * (row[i] - mean);
    const auto variance = static_cast<double>(squares) / static_cast<double>(width);
    const auto inverse = static_cast<Scalar>(1.0 / __builtin_sqrt(variance + all.epsilon));
    all.inverse[r] = inverse;
    for (std::int64_t i = 0; i < width; i += kLanes<Scalar>) {
      const std::int64_t left = width - i;
      const Vector<Scalar> normal = (load(row + i) - mean) * inverse;
      store_some(all.normal + r * width + i, normal, left);
      store_some(all.out + r * width + i, normal * load_some(all.weight + i, left) + load_some(all.bias + i, left),
                 left);
    }
  }
}

template <class Stored>
void norm_backward(const NormGradientRows<Stored>& all) {
  using Scalar = Compute<Stored>;
  const std::int64_t width = all.width;
  const auto kept = static_cast<Scalar>(all.drop.kept);
  for (std::int64_t r = 0; r < all.rows; ++r) {
    const Stored* const gradient = all.gradient + r * width;
    const Stored* const normal = all.normal + r * width;
    Stored* const residual = all.residual + r * width;
    Vector<Scalar> sums = {};
    Vector<Scalar> products = {};
    for (std::int64_t i = 0; i < width; i += kLanes<Scalar>) {
      const std::int64_t left = width - i;
      const Vector<Scalar> change = load_some(gradient + i, left);
      const Vector<Scalar> value = load_some(normal + i, left);
      const Vector<Scalar> weighted = change * load_some(all.weight + i, left);
      sums += weighted;
      products += weighted * value;
      store_some(all.weight_gradient + i, load_some(all.weight_gradient + i, left) + change * value, left);
      store_some(all.bias_gradient + i, load_some(all.bias_gradient + i, left) + change, left);
    }
    const Scalar mean = sum_of<Scalar>(sums) / static_cast<Scalar>(width);
    const Scalar slope = sum_of<Scalar>(products) / static_cast<Scalar>(width);
    const Scalar inverse = all.inverse[r];
    const auto of_residual = [&](std::int64_t i) {
      const std::int64_t left = width - i;
      const Vector<Scalar> weighted = load_some(gradient + i, left) * load_some(all.weight + i, left);
      return inverse * (weighted - mean - load_some(normal + i, left) * slope);
    };
    if (!all.tokens) {
      for (std::int64_t i = 0; i < width; i += kLanes<Scalar>) store_some(residual + i, of_residual(i), width - i);
      continue;
    }
    Stored* const tokens = all.tokens + r * width;
    for_pieces(all.places, r, width, all.drop.key,
               [&](std::int64_t first, std::int64_t count, const std::uint32_t* words) {
                 for (std::int64_t i = 0; i < count; i += kLanes<Scalar>) {
                   const Vector<Scalar> change = of_residual(first + i);
                   store_some(residual + first + i, change, count - i);
                   store_some(tokens + first + i, change * factors_of(words + i, all.drop.limit, kept), count - i);
                 }
               });
  }
}

template <class Stored>
constexpr Functions<Stored> all_loops() {
  return {{scratch_size<Compute<Stored>>, attend<Stored>, attend_backward<Stored>},
          drop_rows<Stored>,
          norm<Stored>,
          norm_backward<Stored>};
}

}  // namespace
}  // namespace coterie::kernels::simd
