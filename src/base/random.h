// Counter-based random numbers: a value is a pure function of a key and a counter, never of the order of calls.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace coterie {

/// A 64-bit key that names one stream of random numbers. Derived, never advanced.
struct RandomKey {
  std::uint64_t value = 0;

  /// The key of a sub-stream, for example of one step, layer or site.
  [[nodiscard]] RandomKey derive(std::uint64_t part) const noexcept;
  /// The key of a named sub-stream.
  [[nodiscard]] RandomKey derive(std::string_view name) const noexcept;
};

/// Philox4x32-10: four independent 32-bit words for one key and one 128-bit counter.
///
/// @par Source
/// Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox(RandomKey key,
                                                            std::array<std::uint32_t, 4> counter) noexcept {
  auto k0 = static_cast<std::uint32_t>(key.value);
  auto k1 = static_cast<std::uint32_t>(key.value >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ k0, static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return counter;
}

/// 64 random bits for (key, index).
[[nodiscard]] std::uint64_t random_bits(RandomKey key, std::uint64_t index) noexcept;

/// A uniform integer in [0, bound) for (key, index); bound > 0. The bias is below bound / 2^64.
[[nodiscard]] std::uint64_t random_below(RandomKey key, std::uint64_t index, std::uint64_t bound) noexcept;

/// A uniform double in [0, 1) for (key, index).
[[nodiscard]] double random_unit(RandomKey key, std::uint64_t index) noexcept;

/// A keyed permutation of [0, size): a bijection computed in constant memory.
///
/// A balanced Feistel network over the next even power of two, walked until it lands inside [0, size).
class Permutation {
 public:
  /// @param size  at least 1
  Permutation(RandomKey key, std::uint64_t size);
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// @param index  in [0, size)
  [[nodiscard]] std::uint64_t operator()(std::uint64_t index) const noexcept;

 private:
  RandomKey key_;
  std::uint64_t size_;
  unsigned half_bits_;
};

}  // namespace coterie
