// Summing gradients, bucket by bucket.
#include "dist/reducer.h"

#include <algorithm>

#include "base/error.h"

namespace coterie::dist {

Reducer::Reducer(std::vector<SharedGradient> gradients, std::int64_t bucket_bytes)
    : gradients_(std::move(gradients)), bucket_bytes_(bucket_bytes) {
  COTERIE_CHECK(ShapeError, bucket_bytes > 0, "reducer: bucket_bytes must be positive, got ", bucket_bytes);
  for (const auto& [values, group] : gradients_) {
    COTERIE_CHECK(ShapeError, group != nullptr, "reducer: a gradient must have a group");
    COTERIE_CHECK(ShapeError, values.defined() && values.dim() == 1 && values.is_contiguous(),
                  "reducer: a gradient must be flat and contiguous, got ", values.sizes());
  }
}

void Reducer::reduce() const {
  for (const auto& [values, group] : gradients_) {
    const std::int64_t length = std::max<std::int64_t>(1, bucket_bytes_ / values.element_size());
    for (std::int64_t begin = 0; begin < values.numel(); begin += length) {
      at::Tensor bucket = values.detach().narrow(0, begin, std::min(length, values.numel() - begin));
      group->all_reduce(bucket);
    }
  }
}

}  // namespace coterie::dist
