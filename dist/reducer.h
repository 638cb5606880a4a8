// Summing gradients over the ranks after backward.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "dist/process_group.h"

namespace coterie::dist {

/// A flat gradient buffer and the ranks that hold the same parameters.
struct SharedGradient {
  at::Tensor values;          ///< one-dimensional, contiguous
  const ProcessGroup* group;  ///< outlives the reducer
};

/// Sums gradients over their groups. There is no other factor: every rank differentiates its share of the loss only.
class Reducer {
 public:
  static constexpr std::int64_t kBucketBytes = std::int64_t{16} << 20;

  /// @param gradients     in an order that is equal on all ranks; the reducer shares their memory
  /// @param bucket_bytes  how much is reduced at a time; the result does not depend on it
  /// @throws ShapeError unless the gradients are flat
  explicit Reducer(std::vector<SharedGradient> gradients, std::int64_t bucket_bytes = kBucketBytes);

  /// Replaces every gradient by its sum over its group, in place.
  /// @note collective over all groups, in registration order
  void reduce() const;

 private:
  std::vector<SharedGradient> gradients_;
  std::int64_t bucket_bytes_;
};

}  // namespace coterie::dist
