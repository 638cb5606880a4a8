// Random disturbance of a gate while it trains, from counters.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "base/random.h"
#include "experts/router.h"
#include "kernels/dropout.h"

namespace coterie::experts {

/// The place of every token of the layout in the global batch.
[[nodiscard]] kernels::TokenPlaces token_places(const BatchLayout& layout);
/// That of every sequence: its first token's.
[[nodiscard]] kernels::TokenPlaces sequence_places(const BatchLayout& layout);

/// Factors uniform in [1 - amount, 1 + amount), each a function of key, place and channel.
/// @param places  of the units
/// @return  [U, D]
/// @par Source
/// Fedus et al. 2021 (arXiv:2101.03961), multiplicative jitter of the router's input.
[[nodiscard]] at::Tensor jitter_factors(const kernels::TokenPlaces& places, std::int64_t width, double amount,
                                        RandomKey key, const at::TensorOptions& options);

/// Standard normal numbers, each a function of key, place and expert.
/// @param places  of the units
/// @return  [U, E]
[[nodiscard]] at::Tensor normal_noise(const kernels::TokenPlaces& places, std::int64_t experts, RandomKey key,
                                      const at::TensorOptions& options);

/// Standard normal numbers in double, each a function of the key and its index.
/// @return  of the given shape
[[nodiscard]] at::Tensor normal_numbers(at::IntArrayRef shape, RandomKey key);

}  // namespace coterie::experts
