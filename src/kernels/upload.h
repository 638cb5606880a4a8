// Numbers of the host where a model computes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace coterie::kernels {

/// The numbers as int64 [n]. To a GPU they travel through pinned memory: the copy is only begun, ordered like any other
/// work there, and nothing waits.
[[nodiscard]] at::Tensor upload(const std::vector<std::int64_t>& numbers, const at::Device& device);
/// A tensor that lies on the host, in the same way.
[[nodiscard]] at::Tensor upload(const at::Tensor& host, const at::Device& device);

}  // namespace coterie::kernels
