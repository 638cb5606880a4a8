// What dist/ uses of CUDA's runtime, for a machine without GPUs: each call does on the emulated GPUs what its namesake
// does on real ones. NVIDIA's documentation of the runtime describes them.
#pragma once

#include <cstddef>

enum cudaError_t : int { cudaSuccess = 0, cudaErrorInvalidDevice = 101, cudaErrorNotReady = 600 };

using cudaStream_t = struct EmulatedStream*;  // always null: a process has one
using cudaEvent_t = struct EmulatedEvent*;

struct cudaDeviceProp {
  char name[256];
  int pciDomainID;
  int pciBusID;
  int pciDeviceID;
};

inline constexpr unsigned cudaEventDisableTiming = 2;

const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventDestroy(cudaEvent_t event);
