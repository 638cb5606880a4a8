// The groups of a mesh, for every layout that the number of ranks allows.
#include "dist/mesh.h"

#include "base/error.h"
#include "groups.h"

namespace coterie::dist {
namespace {

const DistOptions kDist{.timeout_s = kPatienceS};

TEST(Mesh, groups_hold_the_ranks_of_their_axis_in_order) {
  const auto world = make_world();
  for (int expert = 1; expert <= world->size(); ++expert) {
    if (world->size() % expert != 0) continue;
    const Mesh mesh({.expert = expert}, kDist);
    const std::vector<std::int64_t> self = {mesh.world().rank()};

    const auto sharing = mesh.expert_group().all_gather_counts(self);
    const auto copies = mesh.data_group().all_gather_counts(self);

    std::vector<std::int64_t> consecutive;
    for (int i = 0; i < expert; ++i) consecutive.push_back(mesh.shape().data_rank() * expert + i);
    std::vector<std::int64_t> strided;
    for (int i = 0; i < world->size() / expert; ++i) strided.push_back(i * expert + mesh.shape().expert_rank());
    EXPECT_EQ(sharing, consecutive);
    EXPECT_EQ(copies, strided);
    EXPECT_EQ(mesh.expert_group().rank(), mesh.shape().expert_rank());
    EXPECT_EQ(mesh.data_group().rank(), mesh.shape().data_rank());
  }
}

TEST(Mesh, refuses_an_expert_axis_larger_than_the_world) {
  const auto world = make_world();
  const ParallelOptions parallel{.expert = world->size() + 1};

  EXPECT_THROW(Mesh(parallel, kDist), ConfigError);
}

TEST(Mesh, knows_the_ranks_of_its_node) {
  const auto world = make_world();

  const Mesh mesh({}, kDist);

  // All ranks of a test run on one machine.
  EXPECT_EQ(mesh.node().ranks, world->size());
  EXPECT_EQ(mesh.node().rank, world->rank());
  EXPECT_GE(mesh.node().own_cores, 1);
  EXPECT_GE(mesh.node().all_cores, mesh.node().own_cores);
  EXPECT_GE(threads_for({}, mesh), 1);
}

}  // namespace
}  // namespace coterie::dist
