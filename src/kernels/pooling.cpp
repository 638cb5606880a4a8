#include "kernels/pooling.h"

#include <ATen/Functions.h>

#include "base/error.h"
#include "kernels/upload.h"

namespace coterie::kernels {

at::Tensor pool(const at::Tensor& tokens_TD, const std::vector<std::int64_t>& offsets, Pooling pooling) {
  COTERIE_CHECK(ShapeError, !offsets.empty() && offsets.front() == 0 && offsets.back() == tokens_TD.size(0),
                "pooling: offsets must go from 0 to ", tokens_TD.size(0), ", got ", at::IntArrayRef(offsets));
  const auto sequences = static_cast<std::int64_t>(offsets.size()) - 1;
  if (sequences == 0) return tokens_TD;  // [0, D], still in the graph
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b)
    COTERIE_CHECK(ShapeError, offsets[b] < offsets[b + 1], "pooling: a sequence has no tokens");
  const at::Tensor bounds = upload(offsets, tokens_TD.device());
  const at::Tensor first_B = bounds.narrow(0, 0, sequences);
  const at::Tensor length_B = bounds.narrow(0, 1, sequences) - first_B;
  switch (pooling) {
    case Pooling::cls:
      return tokens_TD.index_select(0, first_B);
    case Pooling::max:
      return at::segment_reduce(tokens_TD, "max", length_B, {}, {}, 0, /*unsafe=*/true);
    case Pooling::mean:
      break;
  }
  const at::Tensor sum_BD = at::segment_reduce(tokens_TD, "sum", length_B, {}, {}, 0, /*unsafe=*/true);
  return sum_BD / length_B.to(tokens_TD.scalar_type()).unsqueeze(1);
}

at::Tensor normalize_rows(const at::Tensor& rows_BD) {
  return rows_BD / at::linalg_vector_norm(rows_BD, 2, at::IntArrayRef{1}, true).clamp_min(1e-12);
}

}  // namespace coterie::kernels
