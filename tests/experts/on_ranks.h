// The groups that tests of experts run on: every expert axis that the number of ranks allows.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "dist/mesh.h"
#include "dist/mpi.h"
#include "tests/experts/routings.h"
#include "tests/harness/tensors.h"

namespace coterie::experts {

/// The expert axes that the ranks of this job allow; MPI has started before tests are listed.
inline std::vector<int> axes() {
  std::vector<int> lengths;
  for (int axis = 1; axis <= dist::Communicator::world().size(); axis *= 2) lengths.push_back(axis);
  return lengths;
}

/// Runs a test body for a scenario on a mesh whose expert axis has the given length.
class OnRanks : public testing::TestWithParam<std::tuple<Scenario, int>> {
 protected:
  [[nodiscard]] const dist::ProcessGroup& group() const { return mesh_.expert_group(); }
  [[nodiscard]] std::int64_t local_experts() const { return mesh_.shape().local_experts(kExperts); }
  [[nodiscard]] std::int64_t first_expert() const { return mesh_.shape().first_expert(kExperts); }
  [[nodiscard]] int world_rank() const { return mesh_.world().rank(); }
  [[nodiscard]] int world_size() const { return mesh_.world().size(); }

  /// What the router of a rank of the expert group decides; every rank knows it of all.
  [[nodiscard]] RankRouting routing_of(int group_rank) const {
    return std::get<Scenario>(GetParam()).on_rank(world_rank() - group().rank() + group_rank);
  }
  [[nodiscard]] RankRouting mine() const { return routing_of(group().rank()); }

  static void SetUpTestSuite() {
    for (const int axis : axes()) meshes_.emplace(axis, dist::Mesh({.expert = axis}, {.timeout_s = 60}));
  }
  // While MPI still runs.
  static void TearDownTestSuite() { meshes_.clear(); }

  inline static std::map<int, dist::Mesh> meshes_;
  const dist::Mesh& mesh_ = meshes_.at(std::get<int>(GetParam()));
};

/// The gradient of a leaf; zero where nothing reached it.
inline at::Tensor gradient_of(const at::Tensor& leaf) {
  return leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf);
}

/// Holds this rank's gradients, added up over the ranks of a group, against those of a loop over what all of them have.
///
/// Sums of at most some 100 terms of order one: a few hundred times 2^-53, far below the 1e-10 of the design.
///
/// @param leaves      every one has a gradient
/// @param references  the leaves of the loop, equal on all ranks
/// @note collective over the group
inline void expect_gradients(const std::vector<at::Tensor>& leaves, const dist::ProcessGroup& group,
                             const std::vector<at::Tensor>& references) {
  ASSERT_EQ(leaves.size(), references.size());
  for (std::size_t n = 0; n < leaves.size(); ++n) {
    at::Tensor sum = leaves[n].grad().clone(at::MemoryFormat::Contiguous);
    group.all_reduce(sum);
    EXPECT_LT(test::relative_distance(sum, gradient_of(references[n])), 1e-10)
        << "tensor " << n << " of " << leaves.size() << ", " << leaves[n].sizes();
  }
}

inline auto every_scenario_and_axis() {
  return testing::Combine(testing::ValuesIn(scenarios()), testing::ValuesIn(axes()));
}

/// How GoogleTest spells a case.
struct OnRanksName {
  std::string operator()(const testing::TestParamInfo<std::tuple<Scenario, int>>& info) const {
    return std::get<Scenario>(info.param).name + "_axis_" + std::to_string(std::get<int>(info.param));
  }
};

}  // namespace coterie::experts
