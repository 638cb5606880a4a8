// Attention of one query, and its backward for one query and for one key, by a team: the counterpart of
// simd/attention_loops.h, without its blocks.
//
// Shape letters: N keys and queries of a sequence, d columns of a head.
#pragma once

#include "kernels/gpu/team.h"

namespace coterie::kernels::gpu {

/// Columns of a head, at most.
inline constexpr int kWidestHead = 128;

/// Numbers of a row of d columns that one lane holds: columns lane, lane + kLanes, ...
template <class Team>
inline constexpr int kColumns = (kWidestHead + Team::kLanes - 1) / Team::kLanes;

/// The head under work, and which row of it the team works on.
struct Place {
  std::int64_t width = 0;      ///< d
  std::int64_t row = 0;        ///< the query's position, or the key's
  std::uint32_t sequence = 0;  ///< coordinates of the dropout bits
  std::uint32_t head = 0;
  simd::Drop drop;

  /// 1 / sqrt(d)
  template <class Scalar>
  [[nodiscard]] constexpr Scalar scale() const {
    return static_cast<Scalar>(1.0 / std::sqrt(static_cast<double>(width)));
  }
  /// 0 or 1 / (1 - rate) for one probability.
  template <class Scalar>
  [[nodiscard]] constexpr Scalar factor(std::int64_t query, std::int64_t key) const {
    if (drop.limit == 0) return static_cast<Scalar>(drop.kept);
    const std::uint32_t place = (head << 16U) | static_cast<std::uint32_t>(query);
    return factors_of<Scalar>(drop, {sequence, place, 1}, key / 4)[static_cast<std::size_t>(key % 4)];
  }
};

/// Rows `first` to `first + count - 1` of two matrices of the head.
template <class Scalar>
struct Tile {
  simd::Rows<const Scalar> left;   ///< keys, or queries
  simd::Rows<const Scalar> right;  ///< values, or gradients of the output
  std::int64_t first = 0;
  std::int64_t count = 0;
};

template <class Left, class Right>
[[nodiscard]] constexpr auto dot(const Left* left, const Right* right, std::int64_t width) {
  auto sum = load(left) * load(right);
  for (std::int64_t c = 1; c < width; ++c) sum += load(left + c) * load(right + c);
  return sum;
}

/// Adds `amount` times a row to what this lane holds.
template <class Team, class Scalar, class Element>
constexpr void add_scaled(const Team& team, Scalar amount, const Element* row, std::int64_t width, Scalar* held) {
  for (int i = 0; i < kColumns<Team>; ++i) {
    const std::int64_t c = team.lane() + i * Team::kLanes;
    if (c < width) held[i] += amount * load(row + c);
  }
}

template <class Team, class Scalar, class Stored>
constexpr void write_held(const Team& team, const Scalar* held, Scalar factor, std::int64_t width, Stored* row) {
  for (int i = 0; i < kColumns<Team>; ++i) {
    const std::int64_t c = team.lane() + i * Team::kLanes;
    if (c < width) store(row + c, factor * held[i]);
  }
}

/// A softmax under way over the keys seen so far.
template <class Team, class Scalar>
struct Softmax {
  Scalar max = -static_cast<Scalar>(HUGE_VAL);
  Scalar sum = 0;
  Scalar out[kColumns<Team>] = {};  ///< times `sum`
};

/// Goes on over a tile of keys and values.
///
/// @par Source
/// Milakov and Gimelshein 2018 (arXiv:1805.02867), the running maximum.
template <class Team, class Scalar, class Stored>
constexpr void attend_tile(const Team& team, const Place& place, const Stored* query, const Tile<Scalar>& tile,
                           Softmax<Team, Scalar>& softmax) {
  for (std::int64_t start = 0; start < tile.count; start += Team::kLanes) {
    const std::int64_t here = tile.count - start < Team::kLanes ? tile.count - start : std::int64_t{Team::kLanes};
    const bool mine = team.lane() < here;
    const std::int64_t k = start + team.lane();
    Scalar score = -static_cast<Scalar>(HUGE_VAL);
    if (mine) score = place.scale<Scalar>() * dot(query, tile.left.data + k * tile.left.stride, place.width);
    const Scalar highest = team.max(score);
    const Scalar max = highest > softmax.max ? highest : softmax.max;
    const Scalar fade = std::exp(softmax.max - max);
    Scalar share = mine ? std::exp(score - max) : Scalar{0};
    softmax.max = max;
    softmax.sum = softmax.sum * fade + team.sum(share);
    if (mine) share *= place.factor<Scalar>(place.row, tile.first + k);
    for (int i = 0; i < kColumns<Team>; ++i) softmax.out[i] *= fade;
    for (int n = 0; n < here; ++n)
      add_scaled(team, team.from(share, n), tile.right.data + (start + n) * tile.right.stride, place.width,
                 softmax.out);
  }
}

/// What the backward of one query knows of it.
template <class Scalar, class Stored>
struct QueryBackward {
  const Stored* query = nullptr;         ///< [d]
  const Stored* out_gradient = nullptr;  ///< [d]
  Scalar log_sum = 0;                    ///< of its softmax
  Scalar delta = 0;                      ///< its output times the output's gradient
};

/// Output times its gradient, summed over the columns.
template <class Team, class Stored>
[[nodiscard]] constexpr Compute<Stored> delta_of(const Team& team, const Stored* out, const Stored* gradient,
                                                 std::int64_t width) {
  Compute<Stored> sum = 0;
  for (std::int64_t c = team.lane(); c < width; c += Team::kLanes) sum += load(out + c) * load(gradient + c);
  return team.sum(sum);
}

/// Adds what a tile of keys and values gives to the gradient of the query, not yet scaled.
template <class Team, class Scalar, class Stored>
constexpr void query_gradient_tile(const Team& team, const Place& place, const QueryBackward<Scalar, Stored>& q,
                                   const Tile<Scalar>& tile, Scalar* held) {
  for (std::int64_t start = 0; start < tile.count; start += Team::kLanes) {
    const std::int64_t here = tile.count - start < Team::kLanes ? tile.count - start : std::int64_t{Team::kLanes};
    const std::int64_t k = start + team.lane();
    Scalar change = 0;
    if (team.lane() < here) {
      const Scalar score = place.scale<Scalar>() * dot(q.query, tile.left.data + k * tile.left.stride, place.width);
      const Scalar arriving = dot(q.out_gradient, tile.right.data + k * tile.right.stride, place.width);
      const Scalar factor = place.factor<Scalar>(place.row, tile.first + k);
      change = std::exp(score - q.log_sum) * (factor * arriving - q.delta);
    }
    for (int n = 0; n < here; ++n)
      add_scaled(team, team.from(change, n), tile.left.data + (start + n) * tile.left.stride, place.width, held);
  }
}

/// Adds what a tile of queries and output gradients gives to the gradients of a key, not yet scaled, and of its value.
/// @param log_sum, delta  of the tile's queries
template <class Team, class Scalar, class Stored>
constexpr void key_gradient_tile(const Team& team, const Place& place, const Stored* key, const Stored* value,
                                 const Tile<Scalar>& tile, const Scalar* log_sum, const Scalar* delta, Scalar* held_key,
                                 Scalar* held_value) {
  for (std::int64_t start = 0; start < tile.count; start += Team::kLanes) {
    const std::int64_t here = tile.count - start < Team::kLanes ? tile.count - start : std::int64_t{Team::kLanes};
    const std::int64_t q = start + team.lane();
    Scalar share = 0;
    Scalar change = 0;
    if (team.lane() < here) {
      const Scalar score = place.scale<Scalar>() * dot(key, tile.left.data + q * tile.left.stride, place.width);
      const Scalar arriving = dot(value, tile.right.data + q * tile.right.stride, place.width);
      const Scalar factor = place.factor<Scalar>(tile.first + q, place.row);
      const Scalar probability = std::exp(score - log_sum[q]);
      share = probability * factor;
      change = probability * (factor * arriving - delta[q]);
    }
    for (int n = 0; n < here; ++n) {
      const std::int64_t row = start + n;
      add_scaled(team, team.from(change, n), tile.left.data + row * tile.left.stride, place.width, held_key);
      add_scaled(team, team.from(share, n), tile.right.data + row * tile.right.stride, place.width, held_value);
    }
  }
}

}  // namespace coterie::kernels::gpu
