// Dropout, and LayerNorm of a residual sum with dropout, of one row by a team: the counterpart of simd/row_loops.h.
#pragma once

#include "kernels/gpu/team.h"

namespace coterie::kernels::gpu {

/// The words of a row's place in the random counter.
[[nodiscard]] constexpr std::array<std::uint32_t, 3> place_of(const simd::RowPlaces& places, std::int64_t row) {
  if (places.sequence == nullptr) return {};
  return {static_cast<std::uint32_t>(places.sequence[row]), static_cast<std::uint32_t>(places.token[row]), 0};
}

/// Row `r` of out = in with dropout.
template <class Stored, class Team>
constexpr void drop_row(const Team& team, const Stored* in, Stored* out, std::int64_t r, std::int64_t width,
                        const simd::RowPlaces& places, const simd::Drop& drop) {
  for_groups(team, width, [&](std::int64_t first, std::int64_t count) {
    const auto factors = factors_of<Compute<Stored>>(drop, place_of(places, r), first / 4);
    const std::int64_t start = r * width + first;
    for (std::int64_t i = 0; i < count; ++i)
      store(out + start + i, load(in + start + i) * factors[static_cast<std::size_t>(i)]);
  });
}

/// Row `r` of LayerNorm(residual + dropout(tokens)).
/// @param sum  [D] memory of the team
template <class Stored, class Team>
constexpr void norm_row(const Team& team, const simd::NormRows<Stored>& all, std::int64_t r, Compute<Stored>* sum) {
  using Scalar = Compute<Stored>;
  const std::int64_t row = r * all.width;
  Scalar total = 0;
  for_groups(team, all.width, [&](std::int64_t first, std::int64_t count) {
    const auto factors = factors_of<Scalar>(all.drop, place_of(all.places, r), first / 4);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t c = first + i;
      sum[c] = load(all.residual + row + c) + load(all.tokens + row + c) * factors[static_cast<std::size_t>(i)];
      total += sum[c];
    }
  });
  const Scalar mean = team.sum(total) / static_cast<Scalar>(all.width);
  Scalar squares = 0;
  for_groups(team, all.width, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t c = first; c < first + count; ++c) squares += (sum[c] - mean) * (sum[c] - mean);
  });
  const double variance = static_cast<double>(team.sum(squares)) / static_cast<double>(all.width);
  const auto inverse = static_cast<Scalar>(1.0 / std::sqrt(variance + all.epsilon));
  if (team.lane() == 0) all.inverse[r] = inverse;
  for_groups(team, all.width, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t c = first; c < first + count; ++c) {
      const Scalar normal = (sum[c] - mean) * inverse;
      store(all.normal + row + c, normal);
      store(all.out + row + c, normal * all.weight[c] + all.bias[c]);
    }
  });
}

/// Row `r` of its backward, without the gradients of weight and bias.
template <class Stored, class Team>
constexpr void norm_row_backward(const Team& team, const simd::NormGradientRows<Stored>& all, std::int64_t r) {
  using Scalar = Compute<Stored>;
  const std::int64_t row = r * all.width;
  Scalar sum = 0;
  Scalar products = 0;
  for_groups(team, all.width, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t c = first; c < first + count; ++c) {
      const Scalar weighted = load(all.gradient + row + c) * all.weight[c];
      sum += weighted;
      products += weighted * load(all.normal + row + c);
    }
  });
  const Scalar mean = team.sum(sum) / static_cast<Scalar>(all.width);
  const Scalar slope = team.sum(products) / static_cast<Scalar>(all.width);
  const Scalar inverse = all.inverse[r];
  for_groups(team, all.width, [&](std::int64_t first, std::int64_t count) {
    const auto factors = factors_of<Scalar>(all.drop, place_of(all.places, r), first / 4);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t c = first + i;
      const Scalar weighted = load(all.gradient + row + c) * all.weight[c];
      const Scalar change = inverse * (weighted - mean - load(all.normal + row + c) * slope);
      store(all.residual + row + c, change);
      if (all.tokens != nullptr) store(all.tokens + row + c, change * factors[static_cast<std::size_t>(i)]);
    }
  });
}

/// The rows of one part that one lane sums for column `c`, in their order.
struct Part {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// A part's share of column `c` of the gradients of weight and bias.
template <class Stored>
constexpr void norm_column(const simd::NormGradientRows<Stored>& all, const Part& part, std::int64_t c,
                           Compute<Stored>* weight_gradient, Compute<Stored>* bias_gradient) {
  Compute<Stored> weight = 0;
  Compute<Stored> bias = 0;
  for (std::int64_t r = part.first; r < part.first + part.count; ++r) {
    const Compute<Stored> change = load(all.gradient + r * all.width + c);
    weight += change * load(all.normal + r * all.width + c);
    bias += change;
  }
  *weight_gradient = weight;
  *bias_gradient = bias;
}

inline constexpr double kHalfRoot = 0.70710678118654752;  ///< 1 / sqrt(2)

/// erf GELU of one number. Computed from erfc, so that the left tail keeps its relative precision.
template <class Scalar>
[[nodiscard]] constexpr Scalar gelu(Scalar x) {
  return x * Scalar{0.5} * std::erfc(-x * static_cast<Scalar>(kHalfRoot));
}

/// Its derivative.
template <class Scalar>
[[nodiscard]] constexpr Scalar gelu_slope(Scalar x) {
  constexpr auto kDensity = static_cast<Scalar>(0.398942280401432678);  // 1 / sqrt(2 pi)
  return Scalar{0.5} * std::erfc(-x * static_cast<Scalar>(kHalfRoot)) +
         x * kDensity * std::exp(x * x * static_cast<Scalar>(-0.5));
}

/// Values and their bias, [R, F].
template <class Stored>
struct GeluRows {
  const Stored* values = nullptr;
  const float* bias = nullptr;
  std::int64_t rows = 0, width = 0;
};

/// What the backward of GELU(values + bias) reads and writes besides, [R, F].
template <class Stored>
struct GeluGradient {
  const Stored* gradient = nullptr;
  Stored* values = nullptr;  ///< the gradient of the values
  Stored* out = nullptr;     ///< what the forward pass gave, again
};

/// Column `c` of a part of the backward of GELU(values + bias).
template <class Stored>
constexpr void gelu_column_backward(const GeluRows<Stored>& all, const GeluGradient<Stored>& to, const Part& part,
                                    std::int64_t c, float* bias_gradient) {
  float sum = 0;
  for (std::int64_t r = part.first; r < part.first + part.count; ++r) {
    const std::int64_t at = r * all.width + c;
    const float x = load(all.values + at) + all.bias[c];
    const float change = load(to.gradient + at) * gelu_slope(x);
    store(to.values + at, change);
    store(to.out + at, gelu(x));
    sum += change;
  }
  *bias_gradient = sum;
}

}  // namespace coterie::kernels::gpu
