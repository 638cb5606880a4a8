// Rows on their way: each reaches its expert, and the way back is the inverse, in forward and in backward.
#include "experts/dispatcher.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/experts/on_ranks.h"
#include "tests/harness/tensors.h"

namespace coterie::experts {
namespace {

using testing::HasSubstr;

/// Elements that no other token of any rank has: small integers, so that sums of a few are exact.
at::Tensor marked_tokens(int rank, std::int64_t tokens) {
  return (at::arange(tokens * 3, at::kDouble).view({tokens, 3}) + 1000 * (rank + 1)).requires_grad_();
}

class Dispatch : public OnRanks {
 protected:
  [[nodiscard]] Plan plan() const { return dispatcher_.plan(to_choice(mine()), mine().tokens); }
  [[nodiscard]] at::Tensor there_and_back(const at::Tensor& tokens_TD, const Plan& plan,
                                          const at::Tensor& weight_S = {}) const {
    return dispatcher_.combine(dispatcher_.dispatch(tokens_TD, plan), plan, weight_S);
  }
  /// Number of experts of each token, [T, 1].
  [[nodiscard]] at::Tensor experts_of_tokens() const {
    at::Tensor count = at::zeros({mine().tokens, 1}, at::kDouble);
    for (const Assignment& assignment : mine().assignments) count[assignment.token] += 1;
    return count;
  }

  Dispatcher dispatcher_{group(), kExperts};
};

INSTANTIATE_TEST_SUITE_P(Routings, Dispatch, every_scenario_and_axis(), OnRanksName());

TEST_P(Dispatch, brings_each_expert_its_tokens_by_sender_then_token) {
  const at::Tensor rows_RD = dispatcher_.dispatch(marked_tokens(group().rank(), mine().tokens), plan());

  std::vector<at::Tensor> expected = {at::empty({0, 3}, at::kDouble)};
  for (std::int64_t e = first_expert(); e < first_expert() + local_experts(); ++e)
    for (int peer = 0; peer < group().size(); ++peer)
      for (const Assignment& row : routing_of(peer).assignments)
        if (row.expert == e) expected.push_back(marked_tokens(peer, row.token + 1).slice(0, row.token, row.token + 1));
  EXPECT_TRUE(at::equal(rows_RD, at::cat(expected)));
}

TEST_P(Dispatch, there_and_back_multiplies_by_the_number_of_experts) {
  const at::Tensor tokens_TD = marked_tokens(group().rank(), mine().tokens);

  const Plan made = plan();
  const at::Tensor back_TD = there_and_back(tokens_TD, made);

  EXPECT_TRUE(at::equal(back_TD, tokens_TD * experts_of_tokens()));
}

TEST_P(Dispatch, there_and_back_with_weights_that_sum_to_one_is_the_identity) {
  const at::Tensor tokens_TD = marked_tokens(group().rank(), mine().tokens);
  const at::Tensor count = experts_of_tokens().squeeze(1);

  const at::Tensor back_TD =
      there_and_back(tokens_TD, plan(), count.index_select(0, to_choice(mine()).token_S).reciprocal());

  // Thirds round: 3 * 2^-53 of numbers below 5000. A token without experts becomes zero.
  EXPECT_LT(test::distance(back_TD, tokens_TD * count.gt(0).unsqueeze(1)), 2e-12);
}

TEST_P(Dispatch, gradient_there_and_back_multiplies_by_the_number_of_experts) {
  const at::Tensor tokens_TD = marked_tokens(group().rank(), mine().tokens);
  const at::Tensor weights_TD = marked_tokens(group().rank() + 7, mine().tokens).detach();

  const Plan made = plan();
  const at::Tensor back_TD = there_and_back(tokens_TD, made);
  torch::autograd::backward({(back_TD * weights_TD).sum()});

  EXPECT_TRUE(at::equal(tokens_TD.grad(), weights_TD * experts_of_tokens()));
}

TEST_P(Dispatch, gradient_reaches_the_weights) {
  const at::Tensor tokens_TD = marked_tokens(group().rank(), mine().tokens);
  const at::Tensor weight_S = at::ones({static_cast<std::int64_t>(mine().assignments.size())}, at::kDouble);
  weight_S.requires_grad_();

  torch::autograd::backward({there_and_back(tokens_TD, plan(), weight_S).sum()});

  const at::Tensor expected = tokens_TD.detach().sum(1).index_select(0, to_choice(mine()).token_S);
  EXPECT_TRUE(at::equal(weight_S.grad(), expected));
}

TEST_P(Dispatch, one_plan_serves_several_layers) {
  const at::Tensor tokens_TD = marked_tokens(group().rank(), mine().tokens);

  const Plan made = plan();
  at::Tensor back_TD = there_and_back(tokens_TD, made);
  back_TD = there_and_back(back_TD, made);
  torch::autograd::backward({back_TD.sum()});

  const at::Tensor factor = experts_of_tokens() * experts_of_tokens();
  EXPECT_TRUE(at::equal(back_TD, tokens_TD * factor));
  EXPECT_TRUE(at::equal(tokens_TD.grad(), factor.expand_as(tokens_TD)));
}

TEST_P(Dispatch, refuses_a_plan_of_another_batch) {
  const Plan made = plan();

  const std::string error = test::error_of<ShapeError>(
      [&] { static_cast<void>(dispatcher_.dispatch(marked_tokens(0, mine().tokens + 1), made)); });

  EXPECT_THAT(error, HasSubstr(str("dispatch: ", mine().tokens + 1, " tokens, the plan has ", mine().tokens)));
}

}  // namespace
}  // namespace coterie::experts
