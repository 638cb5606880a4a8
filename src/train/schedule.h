// The learning rate of a step.
#pragma once

#include <cstdint>

#include "train/options.h"

namespace coterie::train {

/// Factor of the peak learning rate at `step`, from 0: linear warm-up, then the chosen decay towards 0 at `steps`.
[[nodiscard]] double schedule(const OptimOptions& options, std::int64_t step, std::int64_t steps);

}  // namespace coterie::train
