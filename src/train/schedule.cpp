#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace coterie::train {

double schedule(const OptimOptions& options, std::int64_t step, std::int64_t steps) {
  if (step < options.warmup_steps) return static_cast<double>(step) / static_cast<double>(options.warmup_steps);
  if (options.decay == Decay::constant) return 1.0;
  const auto span = static_cast<double>(std::max<std::int64_t>(1, steps - options.warmup_steps));
  const double done = std::clamp(static_cast<double>(step - options.warmup_steps) / span, 0.0, 1.0);
  if (options.decay == Decay::cosine) return 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  return 1.0 - done;
}

}  // namespace coterie::train
