// erf GELU of values plus a bias, and its gradient, computed in float.
#pragma once

#include "kernels/simd/lanes.h"

namespace coterie::kernels::simd {
namespace {

using Floats = Vector<float>;

/// The normal distribution function of x, and exp(-x^2 / 2).
struct Normal {
  Floats below;
  Floats bell;
};

/// With z = |x| / sqrt(2) and t = 1 / (1 + z / 2), erfc(z) = exp(-z^2) g(t); g is a Chebyshev fit on z in [0, 9.5] of
/// relative error 5.1e-8. Both tails keep their relative precision.
[[gnu::always_inline]] inline Normal normal_of(Floats x) {
  constexpr float kFit[9] = {-0.0593381259206F, 0.285979671822F, -0.490276046877F, 0.281742193397F, -0.0292310982549F,
                             0.203802260906F,   0.242824090732F, 0.282412613242F,  0.282084401385F};
  const Floats size = x < 0.0F ? -x : x;
  const Floats t = 1.0F / (1.0F + size * 0.353553391F);
  Floats fit = Floats{} + kFit[0];
#pragma GCC unroll 8
  for (int k = 1; k < 9; ++k) fit = fit * t + kFit[k];
  const Floats bell = exp_of<float>(x * x * -0.5F);
  const Floats tail = 0.5F * bell * t * fit;
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
