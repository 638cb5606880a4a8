#include "experts/router.h"

#include <ATen/Functions.h>

#include <algorithm>

namespace coterie::experts {

at::Tensor sequence_of_tokens(const BatchLayout& layout) {
  at::Tensor sequence_T = at::empty({layout.offsets.empty() ? 0 : layout.offsets.back()}, at::kLong);
  auto* sequence = sequence_T.mutable_data_ptr<std::int64_t>();
  for (std::size_t b = 0; b + 1 < layout.offsets.size(); ++b)
    std::fill(sequence + layout.offsets[b], sequence + layout.offsets[b + 1], static_cast<std::int64_t>(b));
  return sequence_T;
}

}  // namespace coterie::experts
