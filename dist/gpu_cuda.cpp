// Asking CUDA's runtime.
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <cuda_runtime_api.h>

#include "base/error.h"
#include "dist/gpu.h"
#include "dist/gpu_group.h"
#include "dist/nccl_group.h"

namespace coterie::dist {
namespace {

/// Whether this process computes on a GPU: asking one that it does not use would open a context there.
bool uses_gpu() { return c10::cuda::device_count() > 0 && c10::cuda::CUDACachingAllocator::get()->initialized(); }

}  // namespace

VisibleGpus visible_gpus() {
  VisibleGpus visible;
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code != cudaSuccess || count == 0) {
    visible.why_none = code != cudaSuccess ? cudaGetErrorString(code) : "the driver shows none";
    // The runtime keeps the last error for whoever asks next.
    static_cast<void>(cudaGetLastError());
    return visible;
  }
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties;
    check_cuda(cudaGetDeviceProperties(&properties, i), str("ask GPU ", i, " for its properties"));
    Gpu gpu;
    gpu.name = properties.name;
    gpu.id = {properties.pciDomainID, properties.pciBusID, properties.pciDeviceID};
    visible.gpus.push_back(std::move(gpu));
  }
  return visible;
}

void use_gpu(int index) {
  check_cuda(c10::cuda::SetDevice(static_cast<c10::DeviceIndex>(index)), str("use GPU ", index));
}

void finish_gpu_work() {
  if (uses_gpu()) c10::cuda::device_synchronize();
}

std::int64_t peak_gpu_bytes() {
  if (!uses_gpu()) return 0;
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(c10::cuda::current_device());
  return stats.allocated_bytes[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak;
}

std::unique_ptr<ProcessGroup> make_gpu_group(Communicator comm, std::string name, double timeout_s) {
  return std::make_unique<NcclGroup>(std::move(comm), std::move(name), timeout_s);
}

}  // namespace coterie::dist
