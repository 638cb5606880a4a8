// The pinned memory comes from torch's cache, which does not hand it out again before the copy is done.
#include "kernels/upload.h"

#include <ATen/Functions.h>

#include <algorithm>

namespace coterie::kernels {

at::Tensor upload(const std::vector<std::int64_t>& numbers, const at::Device& device) {
  const auto options = at::TensorOptions(at::kLong).pinned_memory(device.is_cuda());
  const at::Tensor host = at::empty({static_cast<std::int64_t>(numbers.size())}, options);
  std::copy(numbers.begin(), numbers.end(), host.mutable_data_ptr<std::int64_t>());
  return host.to(device, /*non_blocking=*/true);
}

at::Tensor upload(const at::Tensor& host, const at::Device& device) {
  return device.is_cpu() ? host : host.pin_memory().to(device, /*non_blocking=*/true);
}

}  // namespace coterie::kernels
