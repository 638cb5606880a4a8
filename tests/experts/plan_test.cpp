// The plan on one rank, and routings that do not fit.
#include "experts/plan.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "dist/solo_group.h"
#include "tests/experts/routings.h"
#include "tests/harness/tensors.h"

namespace coterie::experts {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PlanAlone : public testing::Test {
 protected:
  [[nodiscard]] Plan plan(const Choice& choice, std::int64_t tokens, std::int64_t experts) const {
    return make_plan(choice, tokens, experts, *solo_);
  }
  [[nodiscard]] std::string error(const std::vector<std::int64_t>& tokens,
                                  const std::vector<std::int64_t>& experts) const {
    return test::error_of<ShapeError>([&] {
      static_cast<void>(plan({at::tensor(tokens, at::kLong), at::tensor(experts, at::kLong)}, 3, 4));
    });
  }

  std::unique_ptr<dist::ProcessGroup> solo_ = dist::make_solo_group();
};

TEST_F(PlanAlone, sorts_assignments_by_expert_and_keeps_their_order_within_one) {
  const Plan made = plan({at::tensor({0, 0, 1, 2, 2}, at::kLong), at::tensor({3, 1, 3, 1, 0}, at::kLong)}, 4, 4);

  EXPECT_TRUE(at::equal(made.send_order_S, at::tensor({4, 1, 3, 0, 2}, at::kLong)));
  EXPECT_TRUE(at::equal(made.send_inverse_S, at::tensor({3, 1, 4, 2, 0}, at::kLong)));
  EXPECT_TRUE(at::equal(made.assigned_T, at::tensor({2, 1, 2, 0}, at::kLong)));
  EXPECT_THAT(made.rows_per_expert, ElementsAre(1, 2, 0, 2));
  EXPECT_THAT(made.send, ElementsAre(5));
  EXPECT_THAT(made.receive, ElementsAre(5));
  EXPECT_FALSE(made.one_expert_each);
  EXPECT_EQ(made.tokens, 4);
}

TEST_F(PlanAlone, is_that_of_the_counts_that_ranks_know_and_minds_others) {
  const Choice choice{at::arange(3, at::kLong), at::tensor({2, 0, 2}, at::kLong)};
  EXPECT_THAT(make_plan(choice, 3, 4, *solo_, {1, 0, 2, 0}).rows_per_expert, ElementsAre(1, 0, 2, 0));
  EXPECT_THAT(test::error_of<ShapeError>([&] {
                (void)make_plan(choice, 3, 4, *solo_, {1, 1, 1, 0});
              }),
              HasSubstr("plan: peers expect 1 assignments to expert 1 from rank 0 of the group, it has 0"));
  EXPECT_THAT(test::error_of<ShapeError>([&] {
                (void)make_plan(choice, 3, 4, *solo_, {1, 2});
              }),
              HasSubstr("plan: 2 counts for 1 ranks and 4 experts"));
}

TEST_F(PlanAlone, knows_when_each_token_has_one_expert) {
  EXPECT_TRUE(plan({at::arange(3, at::kLong), at::tensor({2, 0, 2}, at::kLong)}, 3, 4).one_expert_each);
  EXPECT_FALSE(plan({at::arange(2, at::kLong), at::tensor({2, 0}, at::kLong)}, 3, 4).one_expert_each);
  EXPECT_FALSE(plan({at::tensor({0, 0, 2}, at::kLong), at::tensor({2, 0, 1}, at::kLong)}, 3, 4).one_expert_each);
}

TEST_F(PlanAlone, refuses_a_routing_that_does_not_fit) {
  EXPECT_THAT(error({0, 1}, {0}), HasSubstr("plan: [2] tokens and [1] experts assigned"));
  EXPECT_THAT(error({0, 1}, {0, 4}), HasSubstr("plan: an expert above 3 was assigned"));
  EXPECT_THAT(error({0, 3}, {0, 1}), HasSubstr("plan: a token above 2 was assigned"));
  EXPECT_THAT(error({1, 0, 2}, {0, 1, 2}), HasSubstr("plan: tokens must be assigned ascending"));
}

}  // namespace
}  // namespace coterie::experts
