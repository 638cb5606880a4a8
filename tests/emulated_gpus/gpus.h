// GPUs that do not exist: tensors of torch's device type CUDA whose memory is the CPU's and whose operations are the
// CPU's, so that all that a run does with GPUs and NCCL can be tested between processes of any machine.
//
// Not done later but at once are the operations themselves; collectives and copies that nobody waits for come in the
// order of a stream. Not emulated are the kernels of src/kernels/gpu (see tests/kernels/emulated), ATen's attention,
// which operations and dtypes a GPU lacks or refuses to repeat, torch's cache of memory, and time; waits are counted in
// the operations named in tensors.cpp. Stricter than GPUs: NCCL is given memory of its GPU alone, by one thread at a
// time, and messages must have the length that is awaited.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace coterie::emulated {

/// GPUs that each process sees.
inline constexpr int kGpus = 4;

/// The GPU that is current in this thread.
[[nodiscard]] int current_gpu() noexcept;

/// Tells of memory on a GPU, and that it is free again.
void add_memory(const void* first, std::size_t bytes, int gpu);
void remove_memory(const void* first);

/// Whether the bytes lie in one tensor's memory on the GPU.
[[nodiscard]] bool is_memory(const void* first, std::size_t bytes, int gpu);

/// Says what CUDA or NCCL would leave undefined, and ends the process.
[[noreturn]] void mistake(const std::string& what);

}  // namespace coterie::emulated
