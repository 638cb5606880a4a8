#include "experts/gate_noise.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "kernels/upload.h"

namespace coterie::experts {
namespace {

// Part of the counters, so they must not change.
enum class Stream : std::uint32_t { jitter = 1, normal = 2 };

// In [0, 1) and (0, 1] of 32 random bits.
double unit_of(std::uint32_t bits) { return bits * 0x1p-32; }
double positive_unit_of(std::uint32_t bits) { return (bits + 1.0) * 0x1p-32; }

// Box and Muller's transform.
double normal_of(const std::array<std::uint32_t, 4>& words) {
  return std::sqrt(-2.0 * std::log(positive_unit_of(words[0]))) * std::cos(2.0 * std::numbers::pi * unit_of(words[1]));
}

std::uint32_t low(std::int64_t number) { return static_cast<std::uint32_t>(number); }

template <class Number>
at::Tensor fill(const kernels::TokenPlaces& places, std::int64_t columns, const at::TensorOptions& options,
                const Number& number) {
  const auto units = static_cast<std::int64_t>(places.sequence.size());
  at::Tensor out = at::empty({units, columns}, at::kDouble);
  auto* rows = out.mutable_data_ptr<double>();
  const std::int64_t grain = std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(1, columns));
  at::parallel_for(0, units, grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t u = first; u < last; ++u)
      for (std::int64_t c = 0; c < columns; ++c)
        rows[u * columns + c] = number(low(places.sequence[static_cast<std::size_t>(u)]),
                                       low(places.token[static_cast<std::size_t>(u)]), low(c));
  });
  return kernels::upload(out.to(options.dtype()), options.device());
}

}  // namespace

kernels::TokenPlaces token_places(const BatchLayout& layout) {
  kernels::TokenPlaces places;
  const std::size_t tokens = layout.offsets.empty() ? 0 : static_cast<std::size_t>(layout.offsets.back());
  places.sequence.reserve(tokens);
  places.token.reserve(tokens);
  for (std::size_t b = 0; b + 1 < layout.offsets.size(); ++b) {
    for (std::int64_t t = layout.offsets[b]; t < layout.offsets[b + 1]; ++t) {
      places.sequence.push_back(layout.sequence_index[b]);
      places.token.push_back(t - layout.offsets[b]);
    }
  }
  return places;
}

kernels::TokenPlaces sequence_places(const BatchLayout& layout) {
  return {{layout.sequence_index.begin(), layout.sequence_index.end()},
          std::vector<std::int64_t>(layout.sequence_index.size(), 0),
          {}};
}

at::Tensor jitter_factors(const kernels::TokenPlaces& places, std::int64_t width, double amount, RandomKey key,
                          const at::TensorOptions& options) {
  return fill(places, width, options, [&](std::uint32_t sequence, std::uint32_t position, std::uint32_t channel) {
    const auto words = philox(key, {sequence, position, channel, static_cast<std::uint32_t>(Stream::jitter)});
    return 1.0 + amount * (2.0 * unit_of(words[0]) - 1.0);
  });
}

at::Tensor normal_noise(const kernels::TokenPlaces& places, std::int64_t experts, RandomKey key,
                        const at::TensorOptions& options) {
  return fill(places, experts, options, [&](std::uint32_t sequence, std::uint32_t position, std::uint32_t expert) {
    return normal_of(philox(key, {sequence, position, expert, static_cast<std::uint32_t>(Stream::normal)}));
  });
}

at::Tensor normal_numbers(at::IntArrayRef shape, RandomKey key) {
  at::Tensor out = at::empty(shape, at::kDouble);
  auto* element = out.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    const auto index = static_cast<std::uint64_t>(i);
    element[i] =
        normal_of(philox(key, {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), 0, 0}));
  }
  return out;
}

}  // namespace coterie::experts
