// Counter-based random numbers and keyed permutations.
#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <vector>

#include "base/error.h"

namespace coterie {
namespace {

using Words = std::array<std::uint32_t, 4>;

// Source: the known-answer vectors of Random123 (Salmon et al. 2011), philox4x32 with 10 rounds.
TEST(Philox, gives_the_published_vectors) {
  constexpr std::uint32_t kOnes = 0xFFFFFFFF;

  EXPECT_EQ(philox({0}, {0, 0, 0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~std::uint64_t{0}}, {kOnes, kOnes, kOnes, kOnes}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x299f31d0a4093822}, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Computed once by a separate program from the definitions: a changed stream would break every resumed run.
TEST(RandomBits, streams_never_change) {
  const RandomKey key = RandomKey{42}.derive(3).derive("dropout");

  EXPECT_EQ(key.value, 0xc0e0c6b3fba2f086);
  EXPECT_EQ(random_bits(key, (std::uint64_t{1} << 32) + 5), 0x388ae8f5888e99dd);
}

TEST(RandomKey, sub_streams_differ_from_each_other_and_from_their_parent) {
  std::set<std::uint64_t> seen;
  std::size_t made = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const RandomKey key{seed};
    seen.insert(key.value);
    for (std::uint64_t part = 0; part < 100; ++part) seen.insert(key.derive(part).value);
    for (const char* name : {"dropout", "order", ""}) seen.insert(key.derive(name).value);
    made += 104;
  }

  EXPECT_EQ(seen.size(), made);
}

TEST(RandomKey, the_order_of_derivation_matters) {
  EXPECT_NE(RandomKey{1}.derive(2).derive(3).value, RandomKey{1}.derive(3).derive(2).value);
}

TEST(RandomBelow, stays_below_and_reaches_everything) {
  for (const std::uint64_t bound : {1, 2, 3, 7, 10}) {
    std::set<std::uint64_t> seen;
    for (std::uint64_t i = 0; i < 1000; ++i) seen.insert(random_below({5}, i, bound));
    EXPECT_EQ(seen.size(), bound);
    EXPECT_EQ(*seen.rbegin(), bound - 1);
  }
}

TEST(RandomBelow, takes_bounds_up_to_64_bits) {
  const std::uint64_t bound = ~std::uint64_t{0};

  // floor(bits (2^64 - 1) / 2^64) is bits - 1 for every bits > 0.
  EXPECT_EQ(random_below({5}, 0, bound), random_bits({5}, 0) - 1);
}

// The mean of n uniform numbers has a standard deviation of 1 / sqrt(12 n); six of them are never passed by chance.
TEST(RandomUnit, is_uniform_in_the_half_open_unit_interval) {
  constexpr int kCount = 10000;
  double sum = 0.0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const double value = random_unit({9}, i);
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }

  EXPECT_NEAR(sum / kCount, 0.5, 6.0 / std::sqrt(12.0 * kCount));
}

std::vector<std::uint64_t> image(RandomKey key, std::uint64_t size) {
  const Permutation permutation(key, size);
  std::vector<std::uint64_t> out(size);
  for (std::uint64_t i = 0; i < size; ++i) out[i] = permutation(i);
  return out;
}

TEST(Permutation, is_a_bijection_for_every_size) {
  for (std::uint64_t size = 1; size <= 1000; ++size) {
    std::vector<std::uint64_t> sorted = image({size}, size);
    std::sort(sorted.begin(), sorted.end());
    std::vector<std::uint64_t> all(size);
    std::iota(all.begin(), all.end(), std::uint64_t{0});
    ASSERT_EQ(sorted, all) << "size " << size;
  }
}

TEST(Permutation, differs_between_keys_and_moves_nearly_everything) {
  const auto first = image({1}, 1000);
  const auto second = image({2}, 1000);
  std::size_t equal = 0;
  std::size_t fixed = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (first[i] == second[i]) ++equal;
    if (first[i] == i) ++fixed;
  }

  // Both counts are about Poisson with mean 1; more than 10 has a chance of 1e-8.
  EXPECT_LE(equal, 10U);
  EXPECT_LE(fixed, 10U);
}

TEST(Permutation, never_changes) {
  EXPECT_EQ(image({7}, 10), (std::vector<std::uint64_t>{0, 4, 8, 2, 1, 3, 6, 7, 5, 9}));
}

TEST(Permutation, of_a_huge_range_stays_inside_and_does_not_collide) {
  const std::uint64_t size = (std::uint64_t{1} << 40) + 1;
  const Permutation permutation({3}, size);
  std::set<std::uint64_t> seen;
  for (std::uint64_t i = 0; i < 1000; ++i) seen.insert(permutation(size - 1 - i));

  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_LT(*seen.rbegin(), size);
}

TEST(Permutation, of_nothing_is_a_bug) { EXPECT_THROW(Permutation({1}, 0), ShapeError); }

}  // namespace
}  // namespace coterie
