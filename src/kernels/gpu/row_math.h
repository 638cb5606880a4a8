// Dropout, LayerNorm of a residual sum with dropout, and GELU, by a team for each row or a lane for four columns: the
// counterpart of simd/row_loops.h and simd/gelu_loops.h.
#pragma once

#include "kernels/gpu/team.h"
#include "kernels/simd/normal_fit.h"

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
  const std::int64_t row = r * width;
  for_groups(team, width, [&](std::int64_t first, std::int64_t count) {
    const auto factors = factors_of<Compute<Stored>>(drop, place_of(places, r), first / 4);
    auto values = load_four(in + row + first, count);
    for (std::size_t i = 0; i < 4; ++i) values[i] *= factors[i];
    store_four(out + row + first, values, count);
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
    auto values = load_four(all.residual + row + first, count);
    const auto tokens = load_four(all.tokens + row + first, count);
    for (std::size_t i = 0; i < 4; ++i) {
      values[i] += tokens[i] * factors[i];
      total += values[i];
    }
    store_four(sum + first, values, count);
  });
  const Scalar mean = team.sum(total) / static_cast<Scalar>(all.width);
  Scalar squares = 0;
  for_groups(team, all.width, [&](std::int64_t first, std::int64_t count) {
    const auto values = load_four(sum + first, count);
    for (std::size_t i = 0; i < 4; ++i)
      if (static_cast<std::int64_t>(i) < count) squares += (values[i] - mean) * (values[i] - mean);
  });
  const double variance = static_cast<double>(team.sum(squares)) / static_cast<double>(all.width);
  const auto inverse = static_cast<Scalar>(1.0 / std::sqrt(variance + all.epsilon));
  if (team.lane() == 0) all.inverse[r] = inverse;
  for_groups(team, all.width, [&](std::int64_t first, std::int64_t count) {
    auto values = load_four(sum + first, count);
    const auto weight = load_four(all.weight + first, count);
    const auto bias = load_four(all.bias + first, count);
    for (Scalar& value : values) value = (value - mean) * inverse;
    store_four(all.normal + row + first, values, count);
    for (std::size_t i = 0; i < 4; ++i) values[i] = values[i] * weight[i] + bias[i];
    store_four(all.out + row + first, values, count);
  });
}

/// Row `r` of its backward, without the gradients of weight and bias.
template <class Stored, class Team>
constexpr void norm_row_backward(const Team& team, const simd::NormGradientRows<Stored>& all, std::int64_t r) {
  using Scalar = Compute<Stored>;
  const std::int64_t row = r * all.width;
  // The gradient of the row before it was scaled and shifted; nothing behind its end.
  const auto weighted = [&](std::int64_t first, std::int64_t count) {
    auto values = load_four(all.gradient + row + first, count);
    const auto weight = load_four(all.weight + first, count);
    for (std::size_t i = 0; i < 4; ++i) values[i] *= weight[i];
    return values;
  };
  Scalar sum = 0;
  Scalar products = 0;
  for_groups(team, all.width, [&](std::int64_t first, std::int64_t count) {
    const auto values = weighted(first, count);
    const auto normal = load_four(all.normal + row + first, count);
    for (std::size_t i = 0; i < 4; ++i) {
      sum += values[i];
      products += values[i] * normal[i];
    }
  });
  const Scalar mean = team.sum(sum) / static_cast<Scalar>(all.width);
  const Scalar slope = team.sum(products) / static_cast<Scalar>(all.width);
  const Scalar inverse = all.inverse[r];
  for_groups(team, all.width, [&](std::int64_t first, std::int64_t count) {
    auto values = weighted(first, count);
    const auto normal = load_four(all.normal + row + first, count);
    for (std::size_t i = 0; i < 4; ++i) values[i] = inverse * (values[i] - mean - normal[i] * slope);
    store_four(all.residual + row + first, values, count);
    if (all.tokens == nullptr) return;
    const auto factors = factors_of<Scalar>(all.drop, place_of(all.places, r), first / 4);
    for (std::size_t i = 0; i < 4; ++i) values[i] *= factors[i];
    store_four(all.tokens + row + first, values, count);
  });
}

/// Rows that one lane works on, in their order: `first`, `first + step`, ... below `end`.
struct Part {
  std::int64_t first = 0;
  std::int64_t end = 0;
  std::int64_t step = 1;
};

/// A part's share of the gradients of weight and bias.
template <class Scalar>
struct NormShare {
  Four<Scalar> weight{};
  Four<Scalar> bias{};
};

/// That of `count` columns from `c`, at most four.
template <class Stored>
[[nodiscard]] constexpr NormShare<Compute<Stored>> norm_columns(const simd::NormGradientRows<Stored>& all,
                                                                const Part& part, std::int64_t c, std::int64_t count) {
  NormShare<Compute<Stored>> share;
  for (std::int64_t r = part.first; r < part.end; r += part.step) {
    const auto change = load_four(all.gradient + r * all.width + c, count);
    const auto normal = load_four(all.normal + r * all.width + c, count);
    for (std::size_t i = 0; i < 4; ++i) {
      share.weight[i] += change[i] * normal[i];
      share.bias[i] += change[i];
    }
  }
  return share;
}

/// The normal distribution function of x, and exp(-x^2 / 2).
struct Normal {
  float below = 0;
  float bell = 0;
};

[[nodiscard]] constexpr Normal normal_of(float x) {
  const float t = 1.0F / (1.0F + (x < 0 ? -x : x) * simd::kNormalSlope);
  const float bell = std::exp(x * x * -0.5F);
  const float tail = 0.5F * bell * t * simd::normal_fit(t);
  return {x < 0 ? tail : 1.0F - tail, bell};
}

/// Values and their bias, [R, F].
template <class Stored>
struct GeluRows {
  const Stored* values = nullptr;
  const float* bias = nullptr;
  std::int64_t rows = 0, width = 0;
};

/// out = GELU(values + bias) of a part of the rows, `count` columns from `c`, at most four.
template <class Stored>
constexpr void gelu_columns(const GeluRows<Stored>& all, Stored* out, const Part& part, std::int64_t c,
                            std::int64_t count) {
  const auto bias = load_four(all.bias + c, count);
  for (std::int64_t r = part.first; r < part.end; r += part.step) {
    auto values = load_four(all.values + r * all.width + c, count);
    for (std::size_t i = 0; i < 4; ++i) {
      const float x = values[i] + bias[i];
      values[i] = x * normal_of(x).below;
    }
    store_four(out + r * all.width + c, values, count);
  }
}

/// What the backward of GELU(values + bias) reads and writes besides, [R, F].
template <class Stored>
struct GeluGradient {
  const Stored* gradient = nullptr;
  Stored* values = nullptr;  ///< the gradient of the values
  Stored* out = nullptr;     ///< what the forward pass gave, again
};

/// The backward of `gelu_columns`.
/// @return  the part's share of the gradient of the bias
template <class Stored>
[[nodiscard]] constexpr Four<float> gelu_columns_backward(const GeluRows<Stored>& all, const GeluGradient<Stored>& to,
                                                          const Part& part, std::int64_t c, std::int64_t count) {
  constexpr float kDensity = 0.398942280F;  // 1 / sqrt(2 pi)
  const auto bias = load_four(all.bias + c, count);
  Four<float> share{};
  for (std::int64_t r = part.first; r < part.end; r += part.step) {
    const std::int64_t at = r * all.width + c;
    auto values = load_four(all.values + at, count);
    auto gradient = load_four(to.gradient + at, count);
    for (std::size_t i = 0; i < 4; ++i) {
      const float x = values[i] + bias[i];
      const Normal normal = normal_of(x);
      values[i] = x * normal.below;
      gradient[i] *= normal.below + x * normal.bell * kDensity;
      share[i] += gradient[i];
    }
    store_four(to.out + at, values, count);
    store_four(to.values + at, gradient, count);
  }
  return share;
}

}  // namespace coterie::kernels::gpu
