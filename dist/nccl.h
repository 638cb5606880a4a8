// NCCL's communicators and CUDA's events as owned handles, and NCCL's result codes as errors. Only where CUDA is built.
#pragma once

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <exception>
#include <string>

#include "base/error.h"
#include "base/handle.h"

namespace coterie::dist {

/// NCCL's text for a result, with what it last said about the communicator, which may be null.
[[nodiscard]] inline std::string nccl_text(ncclResult_t result, ncclComm_t comm) {
  const char* const last = ncclGetLastError(comm);
  return str(ncclGetErrorString(result), last != nullptr && *last != '\0' ? str(" (", last, ")") : std::string());
}

/// @throws CommError saying what could not be done
inline void check_cuda(cudaError_t code, const std::string& doing) {
  if (code != cudaSuccess) throw CommError(str("cuda: cannot ", doing, ": ", cudaGetErrorString(code)));
}

/// How a communicator is released, after `ncclCommFinalize`. Where an error unwinds it is left to the end of the
/// process: destroying would wait for the other ranks.
struct NcclTraits {
  using Raw = ncclComm_t;
  static Raw null() noexcept { return nullptr; }
  static void release(Raw raw) noexcept {
    if (std::uncaught_exceptions() == 0) ncclCommDestroy(raw);
  }
};

/// How an event is released.
struct EventTraits {
  using Raw = cudaEvent_t;
  static Raw null() noexcept { return nullptr; }
  static void release(Raw raw) noexcept { cudaEventDestroy(raw); }
};

}  // namespace coterie::dist
