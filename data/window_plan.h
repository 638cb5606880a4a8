// Cuts the pairs of one window into batches without a repeated document.
#pragma once

#include <cstdint>
#include <vector>

namespace coterie::data {

/// Batches of exactly `batch_pairs` pairs in which no class occurs twice; what fits in none is left out.
///
/// First fit in order over at most 64 open batches; at the end the batches that are not full are filled up from one
/// another. Linear in the number of pairs, up to sorting their classes.
///
/// @param first   [n] class of each pair's first side
/// @param second  [n] class of its second side; a pair of one class with itself fits nowhere
/// @return        indices into the pairs, each at most once, batches in order of completion
[[nodiscard]] std::vector<std::vector<std::uint32_t>> plan_window(const std::vector<std::uint32_t>& first,
                                                                  const std::vector<std::uint32_t>& second,
                                                                  std::int64_t batch_pairs);

}  // namespace coterie::data
