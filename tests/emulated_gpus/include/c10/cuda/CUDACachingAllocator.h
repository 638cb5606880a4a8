// How much memory the emulated GPUs have given.
#pragma once

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Device.h>

namespace c10::cuda::CUDACachingAllocator {

class CUDAAllocator {
 public:
  [[nodiscard]] bool initialized() const;
};

CUDAAllocator* get();
c10::CachingDeviceAllocator::DeviceStats getDeviceStats(DeviceIndex device);

}  // namespace c10::cuda::CUDACachingAllocator
