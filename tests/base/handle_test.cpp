// Ownership of C handles, observed by Traits that count.
#include "base/handle.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <utility>
#include <vector>

namespace coterie {
namespace {

std::vector<int>& released() {
  static std::vector<int> handles;
  return handles;
}

struct CountingTraits {
  using Raw = int;
  static Raw null() noexcept { return -1; }
  static void release(Raw raw) noexcept { released().push_back(raw); }
};

using CountingHandle = Handle<CountingTraits>;

class HandleTest : public testing::Test {
 protected:
  HandleTest() { released().clear(); }
};

TEST_F(HandleTest, releases_exactly_once_at_the_end_of_its_scope) {
  {
    const CountingHandle handle(7);
    EXPECT_EQ(handle.get(), 7);
    EXPECT_TRUE(released().empty());
  }

  EXPECT_EQ(released(), std::vector<int>{7});
}

TEST_F(HandleTest, a_null_handle_releases_nothing) {
  {
    const CountingHandle empty;
    const CountingHandle null(-1);
    EXPECT_EQ(empty.get(), -1);
  }

  EXPECT_TRUE(released().empty());
}

TEST_F(HandleTest, a_move_hands_the_release_over) {
  {
    CountingHandle first(7);
    const CountingHandle second(std::move(first));
    EXPECT_EQ(first.get(), -1);
    EXPECT_EQ(second.get(), 7);
  }

  EXPECT_EQ(released(), std::vector<int>{7});
}

TEST_F(HandleTest, assignment_releases_what_was_held_at_once) {
  CountingHandle handle(7);

  handle = CountingHandle(8);

  EXPECT_EQ(handle.get(), 8);
  EXPECT_EQ(released(), std::vector<int>{7});
}

TEST_F(HandleTest, assignment_to_itself_keeps_the_handle) {
  CountingHandle handle(7);
  CountingHandle& same = handle;

  handle = std::move(same);

  EXPECT_EQ(handle.get(), 7);
  EXPECT_TRUE(released().empty());
}

TEST_F(HandleTest, cannot_be_copied) {
  EXPECT_FALSE(std::is_copy_constructible_v<CountingHandle>);
  EXPECT_TRUE(std::is_nothrow_move_constructible_v<CountingHandle>);
}

}  // namespace
}  // namespace coterie
