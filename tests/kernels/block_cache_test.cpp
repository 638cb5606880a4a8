// Tensors on blocks that are used again.
#include "kernels/block_cache.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/error.h"
#include "tests/harness/tensors.h"

namespace coterie::kernels {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

at::Tensor bytes(std::int64_t count) { return at::empty({count}, at::kByte); }

class BlockCache : public testing::Test {
 protected:
  static void SetUpTestSuite() { use_block_cache(); }
};

TEST_F(BlockCache, gives_a_freed_block_to_the_next_tensor_of_about_that_size) {
  const void* first = bytes(20 * kMiB).const_data_ptr();

  EXPECT_EQ(bytes(19 * kMiB).const_data_ptr(), first);
  EXPECT_EQ(bytes(21 * kMiB).const_data_ptr(), first);
  EXPECT_NE(bytes(3 * kMiB).const_data_ptr(), first) << "a block is not spent on a fraction of its size";
}

TEST_F(BlockCache, counts_what_is_live_and_what_waits) {
  const BlockUse before = block_use();

  {
    const at::Tensor tensor = bytes(40 * kMiB);
    EXPECT_GE(block_use().live, before.live + 40 * kMiB);
    EXPECT_LE(block_use().live, before.live + 43 * kMiB) << "pages behind the tensor cost nothing";
  }

  EXPECT_EQ(block_use().live, before.live);
  EXPECT_GE(block_use().idle, 40U * kMiB);
}

TEST_F(BlockCache, gives_back_what_waits_beyond_an_eighth_of_the_largest_use) {
  { const at::Tensor large = bytes(256 * kMiB); }
  // Of another size each, so that none finds a block that waits.
  for (std::int64_t size = 1; size <= 64; size *= 2) {
    const at::Tensor tensor = bytes(size * kMiB);
    EXPECT_LE(block_use().live + block_use().idle, 256U * 9 / 8 * kMiB + 64U * kMiB);
  }
}

TEST_F(BlockCache, gives_back_what_nobody_wants_any_more) {
  { const at::Tensor large = bytes(100 * kMiB); }
  // Each a use of the cache, as those of a few steps are.
  for (int n = 0; n < 3000; ++n) {
    const at::Tensor small = bytes(100 * 1024);
  }

  EXPECT_LT(block_use().idle, 100U * kMiB);
}

TEST_F(BlockCache, starts_every_tensor_on_a_cache_line) {
  for (const std::int64_t size : {std::int64_t{1}, std::int64_t{100}, 65 * 1024L, kMiB, 2 * kMiB + 1, 5 * kMiB})
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes(size).const_data_ptr()) % 64, 0U) << size;
}

TEST_F(BlockCache, keeps_tensors_apart) {
  std::vector<at::Tensor> tensors;
  for (std::int64_t n = 0; n < 40; ++n) tensors.push_back(at::full({(n + 1) * 30000}, n, at::kInt));
  for (std::int64_t n = 0; n < 40; n += 2)
    tensors[static_cast<std::size_t>(n)] = at::full({40000 * (n + 1)}, n, at::kInt);

  for (std::int64_t n = 0; n < 40; ++n)
    EXPECT_TRUE((tensors[static_cast<std::size_t>(n)] == n).all().item<bool>()) << n;
}

TEST_F(BlockCache, serves_several_threads) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t, &wrong] {
      for (int n = 0; n < 200; ++n) {
        const at::Tensor tensor = at::full({50000 + 1000 * n}, t, at::kInt);
        if (!(tensor == t).all().item<bool>()) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(wrong, 0);
}

TEST_F(BlockCache, refuses_what_no_memory_holds) {
  EXPECT_EQ(test::error_of<IoError>([] { static_cast<void>(bytes(std::int64_t{1} << 50)); }).substr(0, 26),
            "memory: a tensor of 112589");
}

}  // namespace
}  // namespace coterie::kernels
