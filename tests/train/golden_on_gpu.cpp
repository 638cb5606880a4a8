// The golden trajectories, followed on GPUs.
#include "tests/train/golden_device.h"

namespace coterie::train {

dist::DeviceKind golden_device() { return dist::DeviceKind::cuda; }

}  // namespace coterie::train
