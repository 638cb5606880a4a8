// Plans on ranks against a brute-force list of every row that travels.
#include <algorithm>

#include "experts/plan.h"
#include "tests/experts/on_ranks.h"

namespace coterie::experts {
namespace {

class PlanOnRanks : public OnRanks {
 protected:
  [[nodiscard]] int owner(std::int64_t expert) const { return static_cast<int>(expert / local_experts()); }
  /// Rows that one rank of the group sends to another, in the order in which they leave.
  [[nodiscard]] std::vector<Assignment> travelling(int from, int to) const {
    std::vector<Assignment> rows;
    for (const Assignment& assignment : routing_of(from).assignments)
      if (owner(assignment.expert) == to) rows.push_back(assignment);
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.expert < b.expert; });
    return rows;
  }
  [[nodiscard]] Plan plan() const { return make_plan(to_choice(mine()), mine().tokens, kExperts, group()); }
};

INSTANTIATE_TEST_SUITE_P(Routings, PlanOnRanks, every_scenario_and_axis(), OnRanksName());

TEST_P(PlanOnRanks, counts_the_rows_between_each_two_ranks) {
  const Plan made = plan();

  dist::Splits send;
  dist::Splits receive;
  for (int peer = 0; peer < group().size(); ++peer) {
    send.push_back(static_cast<std::int64_t>(travelling(group().rank(), peer).size()));
    receive.push_back(static_cast<std::int64_t>(travelling(peer, group().rank()).size()));
  }
  EXPECT_EQ(made.send, send);
  EXPECT_EQ(made.receive, receive);
}

TEST_P(PlanOnRanks, counts_the_rows_of_each_local_expert) {
  const Plan made = plan();

  std::vector<std::int64_t> rows(static_cast<std::size_t>(local_experts()), 0);
  for (int peer = 0; peer < group().size(); ++peer)
    for (const Assignment& row : travelling(peer, group().rank()))
      ++rows[static_cast<std::size_t>(row.expert - first_expert())];
  EXPECT_EQ(made.rows_per_expert, rows);
}

TEST_P(PlanOnRanks, rows_leave_in_the_order_of_the_ranks_that_own_their_experts) {
  const Plan made = plan();

  std::vector<std::int64_t> leaving;
  for (int peer = 0; peer < group().size(); ++peer)
    for (const Assignment& row : travelling(group().rank(), peer)) leaving.push_back(row.expert);
  const at::Tensor experts = to_choice(mine()).expert_S.index_select(0, made.send_order_S);
  EXPECT_TRUE(at::equal(experts, at::tensor(leaving, at::kLong)));
}

TEST_P(PlanOnRanks, received_rows_are_put_in_order_of_expert_then_sender) {
  const Plan made = plan();

  struct Row {
    std::int64_t expert;
    std::int64_t place;
  };
  std::vector<Row> rows;
  for (int peer = 0; peer < group().size(); ++peer)
    for (const Assignment& row : travelling(peer, group().rank()))
      rows.push_back({row.expert, static_cast<std::int64_t>(rows.size())});
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.expert < b.expert; });
  std::vector<std::int64_t> order;
  for (const Row& row : rows) order.push_back(row.place);
  EXPECT_TRUE(at::equal(made.expert_order_R, at::tensor(order, at::kLong)));
}

TEST_P(PlanOnRanks, inverses_invert) {
  const Plan made = plan();

  EXPECT_TRUE(at::equal(made.send_order_S.index_select(0, made.send_inverse_S),
                        at::arange(made.send_order_S.size(0), at::kLong)));
  EXPECT_TRUE(at::equal(made.expert_order_R.index_select(0, made.expert_inverse_R),
                        at::arange(made.expert_order_R.size(0), at::kLong)));
}

TEST_P(PlanOnRanks, counts_the_experts_of_each_token) {
  const Plan made = plan();

  std::vector<std::int64_t> assigned(static_cast<std::size_t>(mine().tokens), 0);
  for (const Assignment& assignment : mine().assignments) ++assigned[static_cast<std::size_t>(assignment.token)];
  EXPECT_TRUE(at::equal(made.assigned_T, at::tensor(assigned, at::kLong)));
  EXPECT_EQ(made.one_expert_each, std::all_of(assigned.begin(), assigned.end(), [](auto n) { return n == 1; }));
}

}  // namespace
}  // namespace coterie::experts
