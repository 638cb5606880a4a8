// The golden trajectories, followed on the CPU.
#include "tests/train/golden_device.h"

namespace coterie::train {

dist::DeviceKind golden_device() { return dist::DeviceKind::cpu; }

}  // namespace coterie::train
