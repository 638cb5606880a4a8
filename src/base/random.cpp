#include "base/random.h"

#include "base/error.h"

namespace coterie {
namespace {

// The finaliser of splitmix64: a bijection on 64 bits that spreads every input bit.
std::uint64_t mix(std::uint64_t x) noexcept {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

}  // namespace

RandomKey RandomKey::derive(std::uint64_t part) const noexcept { return {mix(mix(value) ^ mix(part ^ 0xA5A5A5A5ULL))}; }

RandomKey RandomKey::derive(std::string_view name) const noexcept {
  std::uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return derive(hash);
}

std::uint64_t random_bits(RandomKey key, std::uint64_t index) noexcept {
  const auto words = philox(key, {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), 0, 0});
  return (std::uint64_t{words[1]} << 32) | words[0];
}

std::uint64_t random_below(RandomKey key, std::uint64_t index, std::uint64_t bound) noexcept {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(random_bits(key, index)) * bound) >> 64);
}

double random_unit(RandomKey key, std::uint64_t index) noexcept {
  return static_cast<double>(random_bits(key, index) >> 11) * 0x1.0p-53;
}

Permutation::Permutation(RandomKey key, std::uint64_t size) : key_(key), size_(size), half_bits_(1) {
  COTERIE_CHECK(ShapeError, size > 0, "permutation: size must be positive, got ", size);
  while (half_bits_ < 32 && (std::uint64_t{1} << (2 * half_bits_)) < size) ++half_bits_;
}

std::uint64_t Permutation::operator()(std::uint64_t index) const noexcept {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  do {
    std::uint64_t left = index >> half_bits_;
    std::uint64_t right = index & mask;
    for (std::uint32_t round = 0; round < 4; ++round) {
      const auto word = philox(key_, {static_cast<std::uint32_t>(right), round, 0, 0})[0];
      const std::uint64_t next = left ^ (word & mask);
      left = right;
      right = next;
    }
    index = (left << half_bits_) | right;
  } while (index >= size_);
  return index;
}

}  // namespace coterie
