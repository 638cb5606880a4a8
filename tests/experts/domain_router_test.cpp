// Enforced routing, and what cannot be routed.
#include "experts/domain_router.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/harness/tensors.h"

namespace coterie::experts {
namespace {

using testing::HasSubstr;

struct Batch {
  std::vector<std::int64_t> offsets;
  std::vector<std::int32_t> domain;
};

Choice route(const Batch& batch) {
  const at::Tensor tokens_TD = at::empty({batch.offsets.back(), 2});
  return DomainRouter(4).route(tokens_TD, {batch.offsets, batch.domain, {}}, {}, nullptr).choice;
}

template <class Kind>
std::string error_of(const Batch& batch) {
  return test::error_of<Kind>([&] { static_cast<void>(route(batch)); });
}

TEST(DomainRouter, sends_every_token_of_a_sequence_to_the_expert_of_its_domain) {
  const Choice choice = route({{0, 2, 3, 3, 6}, {3, 0, 2, 1}});

  EXPECT_TRUE(at::equal(choice.token_S, at::arange(6, at::kLong)));
  EXPECT_TRUE(at::equal(choice.expert_S, at::tensor({3, 3, 0, 1, 1, 1}, at::kLong)));
}

TEST(DomainRouter, weighs_nothing_and_replays_what_it_chose) {
  const Choice choice = route({{0, 2, 3}, {3, 1}});

  const Routing again = DomainRouter(4).route(at::empty({3, 2}), {}, {}, &choice);

  EXPECT_TRUE(at::equal(again.choice.expert_S, choice.expert_S));
  EXPECT_FALSE(again.weight_S.defined());
  EXPECT_FALSE(again.scores.logits_UE.defined());
}

TEST(DomainRouter, routes_an_empty_batch) {
  EXPECT_EQ(route({{0}, {}}).expert_S.sizes(), (std::vector<std::int64_t>{0}));
}

TEST(DomainRouter, follows_from_the_layout) { EXPECT_TRUE(DomainRouter(4).fixed_by_layout()); }

TEST(DomainRouter, refuses_a_text_without_a_domain) {
  EXPECT_THAT(error_of<DataError>({{0, 2, 3}, {1, -1}}),
              HasSubstr("router: the domain of a text must be in 0..3, got none (sequence 1 of the batch)"));
}

TEST(DomainRouter, refuses_a_domain_without_an_expert) {
  EXPECT_THAT(error_of<DataError>({{0, 2, 3}, {4, 0}}),
              HasSubstr("router: the domain of a text must be in 0..3, got 4 (sequence 0 of the batch)"));
}

TEST(DomainRouter, refuses_a_layout_that_leaves_tokens_out) {
  EXPECT_THAT(error_of<ShapeError>({{0, 2, 3}, {1}}), HasSubstr("router: 1 domains for 2 sequences"));
  const std::vector<std::int64_t> offsets = {0, 2};
  const std::vector<std::int32_t> domain = {1};
  EXPECT_THAT(test::error_of<ShapeError>([&] {
                static_cast<void>(DomainRouter(4).route(at::empty({3, 2}), {offsets, domain, {}}, {}, nullptr));
              }),
              HasSubstr("router: offsets end at 2, there are 3 tokens"));
}

}  // namespace
}  // namespace coterie::experts
