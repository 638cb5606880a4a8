#include "kernels/square_sum.h"

#include <ATen/Functions.h>

namespace coterie::kernels {

at::Tensor square_sum(const at::Tensor& numbers_P) {
  constexpr std::int64_t kRow = 512;
  const std::int64_t whole = numbers_P.numel() / kRow * kRow;
  const auto norms = [](const at::Tensor& rows) { return at::linalg_vector_norm(rows, 2, 1).to(at::kDouble); };
  const at::Tensor of_rows = norms(numbers_P.narrow(0, 0, whole).view({whole / kRow, kRow}));
  const at::Tensor of_rest = norms(numbers_P.narrow(0, whole, numbers_P.numel() - whole).unsqueeze(0));
  return at::cat({of_rows, of_rest}).square().sum();
}

}  // namespace coterie::kernels
