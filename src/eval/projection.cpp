#include "eval/projection.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <tuple>

#include "base/error.h"

namespace coterie::eval {
namespace {

// The eigenvectors as columns, each with its coordinate of the largest magnitude positive.
at::Tensor with_fixed_signs(const at::Tensor& vectors_D2) {
  const at::Tensor largest_12 = vectors_D2.abs().argmax(0, /*keepdim=*/true);
  return vectors_D2 * vectors_D2.gather(0, largest_12).sign();
}

}  // namespace

Projection project_to_plane(const at::Tensor& rows_ND) {
  COTERIE_CHECK(ShapeError, rows_ND.dim() == 2 && rows_ND.size(0) >= 1 && rows_ND.size(1) >= 2,
                "projection: rows must be [N, D] with N >= 1 and D >= 2, got ", rows_ND.sizes());
  COTERIE_CHECK(ShapeError, rows_ND.scalar_type() == at::kDouble && rows_ND.is_cpu(),
                "projection: rows must be double on the CPU, got ", rows_ND.toString());
  COTERIE_CHECK(NonFiniteError, rows_ND.isfinite().all().item<bool>(), "projection: an embedding is not finite");
  const c10::NoGradGuard no_grad;
  const at::Tensor centred_ND = rows_ND - rows_ND.mean(0);
  const at::Tensor covariance_DD = centred_ND.t().mm(centred_ND) / static_cast<double>(rows_ND.size(0));
  // Eigenvalues ascend.
  const auto [values_D, vectors_DD] = at::linalg_eigh(covariance_DD);
  const at::Tensor vectors_D2 = with_fixed_signs(vectors_DD.narrow(1, rows_ND.size(1) - 2, 2).flip(1));
  const at::Tensor places_N2 = centred_ND.mm(vectors_D2).contiguous();

  Projection out;
  const auto* place = places_N2.const_data_ptr<double>();
  for (std::int64_t i = 0; i < places_N2.size(0); ++i) out.points.push_back({place[2 * i], place[2 * i + 1]});
  const auto all = covariance_DD.trace().item<double>();
  for (const std::size_t axis : {0U, 1U})
    if (all > 0.0)
      out.share[axis] = std::clamp(values_D[-1 - static_cast<std::int64_t>(axis)].item<double>() / all, 0.0, 1.0);
  return out;
}

}  // namespace coterie::eval
