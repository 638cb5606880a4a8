// CUDA's runtime and what torch asks of it, for the emulated GPUs.
#include "tests/emulated_gpus/gpus.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "tests/emulated_gpus/stream.h"

struct EmulatedEvent {
  std::uint64_t recorded = 0;
};

namespace coterie::emulated {
namespace {

thread_local int current = 0;

/// The memory of all tensors on GPUs.
struct Memory {
  struct Block {
    std::size_t bytes = 0;
    int gpu = 0;
    int uses = 0;
  };
  std::mutex mutex;
  std::map<const char*, Block> blocks;
  std::array<std::int64_t, kGpus> held{};
  std::array<std::int64_t, kGpus> peaks{};
};

Memory& memory() {
  static auto* const only = new Memory;  // tensors may outlive statics
  return *only;
}

/// How torch switches devices and streams.
class Guard final : public c10::impl::DeviceGuardImplInterface {
 public:
  [[nodiscard]] c10::DeviceType type() const override { return at::kCUDA; }
  [[nodiscard]] c10::Device exchangeDevice(c10::Device device) const override {
    const c10::Device before = getDevice();
    uncheckedSetDevice(device);
    return before;
  }
  [[nodiscard]] c10::Device getDevice() const override { return {at::kCUDA, static_cast<c10::DeviceIndex>(current)}; }
  void setDevice(c10::Device device) const override { uncheckedSetDevice(device); }
  void uncheckedSetDevice(c10::Device device) const noexcept override {
    if (device.has_index()) current = device.index();
  }
  [[nodiscard]] c10::Stream getStream(c10::Device device) const override {
    return c10::Stream(c10::Stream::DEFAULT, device.has_index() ? device : getDevice());
  }
  [[nodiscard]] c10::Stream getDefaultStream(c10::Device device) const override { return getStream(device); }
  [[nodiscard]] c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  [[nodiscard]] c10::DeviceIndex deviceCount() const noexcept override { return kGpus; }
  // Everything is in the order of the one stream.
  void record(void**, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  [[nodiscard]] bool queryEvent(void*) const override { return true; }
  [[nodiscard]] bool queryStream(const c10::Stream&) const override { return done(issued()); }
  void synchronizeStream(const c10::Stream&) const override { finish(); }
  void synchronizeEvent(void*) const override { finish(); }
  void synchronizeDevice(c10::DeviceIndex) const override { finish(); }
};

C10_REGISTER_GUARD_IMPL(CUDA, Guard)

/// What torch asks of a library of its own; it finds it by this name.
struct CUDAHooks final : at::CUDAHooksInterface {
  explicit CUDAHooks(at::CUDAHooksArgs) {}
  void init() const override {}
  [[nodiscard]] bool hasCUDA() const override { return true; }
  [[nodiscard]] bool isBuilt() const override { return true; }
  [[nodiscard]] bool isAvailable() const override { return true; }
  [[nodiscard]] bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  [[nodiscard]] int getNumGPUs() const override { return kGpus; }
  [[nodiscard]] c10::DeviceIndex deviceCount() const override { return kGpus; }
  [[nodiscard]] c10::DeviceIndex current_device() const override { return static_cast<c10::DeviceIndex>(current); }
  [[nodiscard]] c10::DeviceIndex getCurrentDevice() const override { return current_device(); }
  [[nodiscard]] c10::Allocator* getPinnedMemoryAllocator() const override { return c10::GetCPUAllocator(); }
  void deviceSynchronize(c10::DeviceIndex) const override { finish(); }
};

using at::CUDAHooksRegistry;
using at::RegistererCUDAHooksRegistry;
REGISTER_CUDA_HOOKS(CUDAHooks)

}  // namespace

int current_gpu() noexcept { return current; }

void add_memory(const void* first, std::size_t bytes, int gpu) {
  Memory& all = memory();
  const std::lock_guard lock(all.mutex);
  Memory::Block& block = all.blocks[static_cast<const char*>(first)];
  block = {bytes, gpu, block.uses + 1};
  if (block.uses > 1) return;
  const auto g = static_cast<std::size_t>(gpu);
  all.held[g] += static_cast<std::int64_t>(bytes);
  all.peaks[g] = std::max(all.peaks[g], all.held[g]);
}

void remove_memory(const void* first) {
  Memory& all = memory();
  const std::lock_guard lock(all.mutex);
  const auto block = all.blocks.find(static_cast<const char*>(first));
  if (--block->second.uses > 0) return;
  all.held[static_cast<std::size_t>(block->second.gpu)] -= static_cast<std::int64_t>(block->second.bytes);
  all.blocks.erase(block);
}

bool is_memory(const void* first, std::size_t bytes, int gpu) {
  Memory& all = memory();
  const std::lock_guard lock(all.mutex);
  const auto* const begin = static_cast<const char*>(first);
  auto block = all.blocks.upper_bound(begin);
  if (block == all.blocks.begin()) return false;
  --block;
  return block->second.gpu == gpu && begin + bytes <= block->first + block->second.bytes;
}

void mistake(const std::string& what) {
  std::fprintf(stderr, "emulated GPU %d: %s\n", current, what.c_str());
  std::abort();
}

}  // namespace coterie::emulated

using namespace coterie::emulated;

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorNotReady:
      return "device not ready";
  }
  return "unknown error";
}

cudaError_t cudaGetLastError() { return cudaSuccess; }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = kGpus;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || device >= kGpus) return cudaErrorInvalidDevice;
  *properties = {};
  std::strcpy(properties->name, "emulated");
  properties->pciBusID = device + 1;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = current;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= kGpus) return cudaErrorInvalidDevice;
  current = device;
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned /*flags*/) {
  *event = new EmulatedEvent;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t /*stream*/) {
  event->recorded = issued();
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  // As where a lock of the driver is held.
  if (std::getenv("EMULATED_CUDA_MUTE") != nullptr) finish();
  return done(event->recorded) ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

namespace c10::cuda {

WarningState& warning_state() {
  static WarningState state;
  return state;
}

DeviceIndex device_count() noexcept { return kGpus; }

DeviceIndex current_device() { return static_cast<DeviceIndex>(current); }

void device_synchronize() { finish(); }

namespace CUDACachingAllocator {

bool CUDAAllocator::initialized() const { return true; }

CUDAAllocator* get() {
  static CUDAAllocator only;
  return &only;
}

c10::CachingDeviceAllocator::DeviceStats getDeviceStats(DeviceIndex device) {
  Memory& all = memory();
  const std::lock_guard lock(all.mutex);
  c10::CachingDeviceAllocator::DeviceStats stats;
  stats.allocated_bytes[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak =
      all.peaks[static_cast<std::size_t>(device)];
  return stats;
}

}  // namespace CUDACachingAllocator
}  // namespace c10::cuda
