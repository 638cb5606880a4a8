// Tensors of the emulated GPUs.
#pragma once

#include <ATen/core/Tensor.h>

namespace coterie::emulated {

/// A tensor on a GPU as one on the CPU, in the same memory, when all that was issued before is done. Outside any graph.
[[nodiscard]] at::Tensor seen_by_host(const at::Tensor& on_gpu);

/// A tensor on the CPU as one on a GPU, in the same memory. Outside any graph.
[[nodiscard]] at::Tensor seen_by_gpu(const at::Tensor& on_host, at::Device gpu);

}  // namespace coterie::emulated
