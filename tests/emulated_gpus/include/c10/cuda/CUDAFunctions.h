// Choosing among the emulated GPUs, and the warnings of waits for them.
#pragma once

#include <c10/core/Device.h>
#include <cuda_runtime_api.h>

#include <atomic>

namespace c10::cuda {

enum class SyncDebugMode { L_DISABLED, L_WARN };

class WarningState {
 public:
  void set_sync_debug_mode(SyncDebugMode mode) { mode_ = mode; }
  [[nodiscard]] SyncDebugMode get_sync_debug_mode() const { return mode_; }

 private:
  std::atomic<SyncDebugMode> mode_ = SyncDebugMode::L_DISABLED;
};

WarningState& warning_state();
DeviceIndex device_count() noexcept;
DeviceIndex current_device();
void device_synchronize();
inline cudaError_t SetDevice(DeviceIndex device) { return cudaSetDevice(device); }

}  // namespace c10::cuda
