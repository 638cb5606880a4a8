// Random disturbance of a gate while it trains, from counters.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "experts/router.h"

namespace coterie::experts {

/// Where each unit of a router stands in the global batch: what its noise is a function of.
struct UnitPlaces {
  std::vector<std::int64_t> sequence;  ///< [U] index among all sequences of the global batch
  std::vector<std::int64_t> position;  ///< [U] within the sequence; 0 where the unit is the sequence
};

/// Every token of the layout.
[[nodiscard]] UnitPlaces token_places(const BatchLayout& layout);
/// Every sequence of the layout.
[[nodiscard]] UnitPlaces sequence_places(const BatchLayout& layout);

/// Factors uniform in [1 - amount, 1 + amount), each a function of key, place and channel.
/// @return  [U, D]
/// @par Source
/// Fedus et al. 2021 (arXiv:2101.03961), multiplicative jitter of the router's input.
[[nodiscard]] at::Tensor jitter_factors(const UnitPlaces& places, std::int64_t width, double amount, RandomKey key,
                                        const at::TensorOptions& options);

/// Standard normal numbers, each a function of key, place and expert.
/// @return  [U, E]
[[nodiscard]] at::Tensor normal_noise(const UnitPlaces& places, std::int64_t experts, RandomKey key,
                                      const at::TensorOptions& options);

/// Standard normal numbers in double, each a function of the key and its index.
/// @return  of the given shape
[[nodiscard]] at::Tensor normal_numbers(at::IntArrayRef shape, RandomKey key);

}  // namespace coterie::experts
