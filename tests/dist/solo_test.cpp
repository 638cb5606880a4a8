// A group and a mesh of one rank work in a process that never starts MPI.
#include <gtest/gtest.h>

#include "dist/autograd.h"
#include "dist/mesh.h"
#include "groups.h"

namespace coterie::dist {
namespace {

TEST(Solo, every_collective_is_the_identity) {
  const auto solo = make_solo_group();
  const at::Tensor rows = rows_of<float>({1, 2, 3, 4}, 2);
  at::Tensor reduced = rows.clone();

  solo->all_reduce(reduced);
  solo->broadcast(reduced, 0);
  solo->barrier();

  EXPECT_EQ(values_of<float>(reduced), values_of<float>(rows));
  EXPECT_EQ(values_of<float>(solo->all_to_all(rows, {2}, {2})), values_of<float>(rows));
  EXPECT_EQ(values_of<float>(solo->all_gather(rows, {2})), values_of<float>(rows));
  EXPECT_EQ(values_of<float>(solo->reduce_scatter(rows, {2})), values_of<float>(rows));
  EXPECT_EQ(solo->broadcast("text", 0), "text");
  EXPECT_TRUE(exchange(*solo, rows, {2}, {2}).is_same(rows));
}

TEST(Solo, a_mesh_of_one_rank_holds_all_experts) {
  Mesh mesh = Mesh::solo();
  mesh.set_step(3);

  EXPECT_EQ(mesh.world().size(), 1);
  EXPECT_EQ(mesh.expert_group().size(), 1);
  EXPECT_EQ(mesh.data_group().size(), 1);
  EXPECT_EQ(mesh.shape().local_experts(5), 5);
  EXPECT_EQ(mesh.shape().first_expert(5), 0);
}

}  // namespace
}  // namespace coterie::dist
