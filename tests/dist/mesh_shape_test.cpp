// The arithmetic of ranks and experts, without MPI.
#include <gtest/gtest.h>

#include "base/error.h"
#include "dist/mesh.h"
#include "groups.h"

namespace coterie::dist {
namespace {

TEST(MeshShape, ranks_that_share_a_set_of_experts_are_consecutive) {
  const ParallelOptions two{.expert = 2};

  std::vector<std::pair<int, int>> places;
  for (int rank = 0; rank < 6; ++rank) {
    const MeshShape shape(rank, 6, two);
    places.emplace_back(shape.data_rank(), shape.expert_rank());
  }

  EXPECT_EQ(places, (std::vector<std::pair<int, int>>{{0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 0}, {2, 1}}));
}

TEST(MeshShape, the_axes_multiply_to_the_number_of_ranks) {
  const MeshShape shape(5, 12, {.expert = 4});

  EXPECT_EQ(shape.expert_size(), 4);
  EXPECT_EQ(shape.data_size(), 3);
  EXPECT_EQ(shape.ranks(), 12);
}

TEST(MeshShape, every_expert_has_one_owner_on_the_expert_axis) {
  std::vector<std::int64_t> owned;
  for (int rank = 0; rank < 4; ++rank) {
    const MeshShape shape(rank, 4, {.expert = 4});
    for (std::int64_t i = 0; i < shape.local_experts(8); ++i) owned.push_back(shape.first_expert(8) + i);
  }

  EXPECT_EQ(owned, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(ExpertBlocks, lie_one_after_another) {
  const ExpertBlocks blocks = expert_blocks(6, 3);

  EXPECT_EQ(blocks.size, 2);
  EXPECT_EQ(blocks.first(0), 0);
  EXPECT_EQ(blocks.first(2), 4);
  EXPECT_THROW(static_cast<void>(expert_blocks(5, 3)), ConfigError);
}

TEST(MeshShape, refuses_an_axis_that_does_not_divide_the_ranks) {
  EXPECT_EQ(message_of<ConfigError>([] { MeshShape(0, 4, {.expert = 3}); }),
            "mesh: expert axis (3) must divide the number of ranks (4) (parallel.expert)");
  EXPECT_THROW(MeshShape(0, 4, {.expert = 0}), ConfigError);
  EXPECT_THROW(MeshShape(0, 4, {.expert = 8}), ConfigError);
  EXPECT_THROW(MeshShape(0, 4, {.expert = (std::int64_t{1} << 32) + 2}), ConfigError);
}

TEST(MeshShape, refuses_experts_that_the_axis_does_not_divide) {
  const MeshShape shape(0, 4, {.expert = 2});

  EXPECT_EQ(message_of<ConfigError>([&] { static_cast<void>(shape.local_experts(3)); }),
            "mesh: expert axis (2) must divide the number of experts (3) (parallel.expert)");
  EXPECT_THROW(static_cast<void>(shape.first_expert(0)), ConfigError);
}

}  // namespace
}  // namespace coterie::dist
