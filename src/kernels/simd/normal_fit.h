// The normal distribution's tail in float, for one number or a vector of them.
#pragma once

namespace coterie::kernels::simd {

/// With z = |x| / sqrt(2) and t = 1 / (1 + z / 2) = 1 / (1 + |x| kNormalSlope).
inline constexpr float kNormalSlope = 0.353553391F;

/// g(t) of erfc(z) = exp(-z^2) t g(t): a Chebyshev fit on z in [0, 9.5] of relative error 5.1e-8.
template <class Floats>
[[nodiscard]] [[gnu::always_inline]] constexpr Floats normal_fit(Floats t) {
  constexpr float kFit[9] = {-0.0593381259206F, 0.285979671822F, -0.490276046877F, 0.281742193397F, -0.0292310982549F,
                             0.203802260906F,   0.242824090732F, 0.282412613242F,  0.282084401385F};
  Floats fit = Floats{} + kFit[0];
  for (int k = 1; k < 9; ++k) fit = fit * t + kFit[k];
  return fit;
}

}  // namespace coterie::kernels::simd
