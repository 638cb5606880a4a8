// The current stream of an emulated GPU.
#pragma once

#include <cuda_runtime_api.h>

namespace c10::cuda {

class CUDAStream {
 public:
  [[nodiscard]] cudaStream_t stream() const { return nullptr; }
};

inline CUDAStream getCurrentCUDAStream() { return {}; }

}  // namespace c10::cuda
