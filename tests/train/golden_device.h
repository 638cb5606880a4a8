// Where the golden trajectories are followed: golden_on_cpu.cpp or golden_on_gpu.cpp, by program.
#pragma once

#include "dist/options.h"

namespace coterie::train {

dist::DeviceKind golden_device();

}  // namespace coterie::train
