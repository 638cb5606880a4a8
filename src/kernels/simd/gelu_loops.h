// erf GELU of values plus a bias, and its gradient, computed in float.
#pragma once

#include "kernels/simd/lanes.h"
#include "kernels/simd/normal_fit.h"

namespace coterie::kernels::simd {
namespace {

using Floats = Vector<float>;

/// The normal distribution function of x, and exp(-x^2 / 2).
struct Normal {
  Floats below;
  Floats bell;
};

/// Both tails keep their relative precision.
[[gnu::always_inline]] inline Normal normal_of(Floats x) {
  const Floats size = x < 0.0F ? -x : x;
  const Floats t = 1.0F / (1.0F + size * kNormalSlope);
  const Floats bell = exp_of<float>(x * x * -0.5F);
  const Floats tail = 0.5F * bell * t * normal_fit(t);
  return {x < 0.0F ? tail : 1.0F - tail, bell};
}

template <class Stored>
void gelu_rows(const Stored* values, const float* bias, std::int64_t rows, std::int64_t width, Stored* out) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t i = 0; i < width; i += kLanes<float>) {
      const std::int64_t left = width - i;
      const Floats x = load_some(values + r * width + i, left) + load_some(bias + i, left);
      store_some(out + r * width + i, x * normal_of(x).below, left);
    }
}

template <class Stored>
void gelu_rows_backward(const GeluGradientRows<Stored>& in) {
  constexpr float kDensity = 0.398942280F;  // 1 / sqrt(2 pi)
  for (std::int64_t r = 0; r < in.rows; ++r)
    for (std::int64_t i = 0; i < in.width; i += kLanes<float>) {
      const std::int64_t left = in.width - i;
      const std::int64_t place = r * in.width + i;
      const Floats x = load_some(in.values + place, left) + load_some(in.bias + i, left);
      const Normal normal = normal_of(x);
      const Floats slope = normal.below + x * normal.bell * kDensity;
      const Floats change = load_some(in.gradient + place, left) * slope;
      store_some(in.values_gradient + place, change, left);
      store_some(in.out + place, x * normal.below, left);
      store_some(in.bias_gradient + i, load_some(in.bias_gradient + i, left) + change, left);
    }
}

template <class Stored>
constexpr GeluFunctions<Stored> gelu_loops() {
  return {gelu_rows<Stored>, gelu_rows_backward<Stored>};
}

}  // namespace
}  // namespace coterie::kernels::simd
