#include "kernels/row_products.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <bit>

#include "kernels/simd/functions.h"

namespace coterie::kernels {
namespace {

bool goes_by_floats(const at::Tensor& rows_RC) {
  return multiplied_dtype(rows_RC.scalar_type(), rows_RC.device()) != rows_RC.scalar_type();
}

/// Calls task(first row, rows) for blocks of rows, so that few are there as floats at a time.
template <class Task>
void for_blocks(std::int64_t rows, const Task& task) {
  constexpr std::int64_t kBlock = 2048;
  for (std::int64_t first = 0; first < rows; first += kBlock) task(first, std::min(kBlock, rows - first));
}

at::Tensor row_product_by_floats(const at::Tensor& rows_RI, const at::Tensor& weight_OI,
                                 const std::optional<at::Tensor>& bias_O) {
  const at::Tensor weight = weight_OI.to(at::kFloat);
  const auto bias = bias_O ? std::optional(bias_O->to(at::kFloat)) : std::nullopt;
  at::Tensor out_RO = at::empty({rows_RI.size(0), weight.size(0)}, rows_RI.options().requires_grad(false));
  for_blocks(rows_RI.size(0), [&](std::int64_t first, std::int64_t count) {
    out_RO.narrow(0, first, count).copy_(at::linear(rows_RI.narrow(0, first, count).to(at::kFloat), weight, bias));
  });
  return out_RO;
}

at::Tensor weight_gradient_by_floats(const at::Tensor& gradient_RO, const at::Tensor& rows_RI) {
  at::Tensor sum_OI = at::zeros({gradient_RO.size(1), rows_RI.size(1)}, rows_RI.options().dtype(at::kFloat));
  for_blocks(rows_RI.size(0), [&](std::int64_t first, std::int64_t count) {
    const at::Tensor rows = rows_RI.narrow(0, first, count).to(at::kFloat);
    sum_OI.addmm_(gradient_RO.narrow(0, first, count).to(at::kFloat).t(), rows);
  });
  return sum_OI;
}

/// Where rows are cut.
struct Cut {
  std::int64_t whole = 0;   ///< rows of the first product, a multiple of `filled`
  std::int64_t rest = 0;    ///< rows behind them
  std::int64_t filled = 0;  ///< rows of the second product
};

Cut cut_of(const at::Tensor& rows_RC) {
  // 32 shapes for each doubling of the rows: on average 1 % more work.
  constexpr std::uint64_t kShapes = 32;
  constexpr std::uint64_t kLeastStep = 32;
  const std::int64_t rows = rows_RC.size(0);
  if (rows_RC.scalar_type() != at::kBFloat16 || rows_RC.is_cuda()) return {rows, 0, 0};
  const auto step =
      static_cast<std::int64_t>(std::max(std::bit_floor(static_cast<std::uint64_t>(rows)) / kShapes, kLeastStep));
  return {rows / step * step, rows % step, step};
}

/// The rows behind the cut, and zeros below.
at::Tensor filled_rest(const at::Tensor& rows_RC, const Cut& cut) {
  at::Tensor filled = at::empty({cut.filled, rows_RC.size(1)}, rows_RC.options().requires_grad(false));
  filled.narrow(0, 0, cut.rest).copy_(rows_RC.narrow(0, cut.whole, cut.rest));
  filled.narrow(0, cut.rest, cut.filled - cut.rest).zero_();
  return filled;
}

}  // namespace

at::ScalarType multiplied_dtype(at::ScalarType stored, at::Device place) {
  return stored == at::kBFloat16 && place.is_cpu() && !simd::multiplies_halves() ? at::kFloat : stored;
}

at::Tensor row_product(const at::Tensor& rows_RI, const at::Tensor& weight_OI,
                       const std::optional<at::Tensor>& bias_O) {
  if (goes_by_floats(rows_RI)) return row_product_by_floats(rows_RI, weight_OI, bias_O);
  const Cut cut = cut_of(rows_RI);
  if (cut.rest == 0) return at::linear(rows_RI, weight_OI, bias_O);
  at::Tensor out_RO = at::empty({rows_RI.size(0), weight_OI.size(0)}, rows_RI.options().requires_grad(false));
  if (cut.whole > 0) {
    at::Tensor whole = out_RO.narrow(0, 0, cut.whole);
    const at::Tensor rows = rows_RI.narrow(0, 0, cut.whole);
    if (bias_O)
      at::addmm_out(whole, *bias_O, rows, weight_OI.t());
    else
      at::mm_out(whole, rows, weight_OI.t());
  }
  const at::Tensor rest = at::linear(filled_rest(rows_RI, cut), weight_OI, bias_O);
  out_RO.narrow(0, cut.whole, cut.rest).copy_(rest.narrow(0, 0, cut.rest));
  return out_RO;
}

at::Tensor weight_gradient(const at::Tensor& gradient_RO, const at::Tensor& rows_RI, at::ScalarType master) {
  if (goes_by_floats(rows_RI)) return weight_gradient_by_floats(gradient_RO, rows_RI).to(master);
  // A GPU sums in float: no rounding on the way to the master.
  if (rows_RI.is_cuda() && rows_RI.scalar_type() == at::kBFloat16 && master == at::kFloat)
    return at::mm(gradient_RO.t(), rows_RI, master);
  const Cut cut = cut_of(rows_RI);
  if (cut.rest == 0) return gradient_RO.t().mm(rows_RI).to(master);
  at::Tensor sum_OI = filled_rest(gradient_RO, cut).t().mm(filled_rest(rows_RI, cut)).to(master);
  if (cut.whole > 0) sum_OI.add_(gradient_RO.narrow(0, 0, cut.whole).t().mm(rows_RI.narrow(0, 0, cut.whole)));
  return sum_OI;
}

}  // namespace coterie::kernels
