// Enforced routing, and what cannot be routed.
#include "experts/enforced_router.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/harness/tensors.h"

namespace coterie::experts {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Batch {
  std::vector<std::int64_t> offsets;
  std::vector<std::int32_t> domain;
};

Choice route(const Batch& batch) {
  const at::Tensor tokens_TD = at::empty({batch.offsets.back(), 2});
  return EnforcedRouter(Enforced::domain, 4).route(tokens_TD, {batch.offsets, batch.domain, {}}, {}, nullptr).choice;
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

  const Routing again = EnforcedRouter(Enforced::domain, 4).route(at::empty({3, 2}), {}, {}, &choice);

  EXPECT_TRUE(at::equal(again.choice.expert_S, choice.expert_S));
  EXPECT_FALSE(again.weight_S.defined());
  EXPECT_FALSE(again.scores.logits_UE.defined());
}

TEST(DomainRouter, routes_an_empty_batch) {
  EXPECT_EQ(route({{0}, {}}).expert_S.sizes(), (std::vector<std::int64_t>{0}));
}

TEST(DomainRouter, follows_from_the_layout) { EXPECT_TRUE(EnforcedRouter(Enforced::domain, 4).fixed_by_layout()); }

TEST(DomainRouter, counts_the_tokens_of_each_domain) {
  const std::vector<std::int64_t> offsets = {0, 2, 3, 3, 6};
  const std::vector<std::int32_t> domain = {3, 0, 2, 3};

  EXPECT_THAT(EnforcedRouter(Enforced::domain, 4).counts({offsets, domain, {}}, {}), ElementsAre(1, 0, 0, 5));
  EXPECT_THAT(EnforcedRouter(Enforced::one, 1).counts({offsets, domain, {}}, {}), ElementsAre(6));
  // What the types of another rank's tokens are would have to be asked.
  EXPECT_THAT(EnforcedRouter(Enforced::token_type, 2).counts({offsets, domain, {}}, {}), IsEmpty());
  EXPECT_THAT(test::error_of<DataError>([&] {
                (void)EnforcedRouter(Enforced::domain, 3).counts({offsets, domain, {}}, {});
              }),
              HasSubstr("router: the domain of a text must be in 0..2, got 3 (sequence 0 of the batch)"));
}

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
                static_cast<void>(
                    EnforcedRouter(Enforced::domain, 4).route(at::empty({3, 2}), {offsets, domain, {}}, {}, nullptr));
              }),
              HasSubstr("router: offsets end at 2, there are 3 tokens"));
}

TEST(IndexRouter, sends_every_token_of_a_sequence_to_the_expert_that_was_named_for_it) {
  const std::vector<std::int64_t> offsets = {0, 2, 5};
  const std::vector<std::int32_t> domain = {0, 0};
  const std::vector<std::int32_t> expert = {3, 1};
  const EnforcedRouter router(Enforced::index, 4);

  const Choice choice = router.route(at::empty({5, 2}), {offsets, domain, {}, expert}, {}, nullptr).choice;

  EXPECT_TRUE(at::equal(choice.expert_S, at::tensor({3, 3, 1, 1, 1}, at::kLong)));
  EXPECT_THAT(router.counts({offsets, domain, {}, expert}, {}), ElementsAre(0, 3, 0, 2));
  EXPECT_TRUE(router.fixed_by_layout());
}

TEST(IndexRouter, refuses_an_index_out_of_range_and_a_text_without_one) {
  const std::vector<std::int64_t> offsets = {0, 2, 5};
  for (const auto& [index, said] : {std::pair{4, "got 4"}, std::pair{-1, "got none"}}) {
    const std::vector<std::int32_t> expert = {0, index};
    EXPECT_THAT(
        test::error_of<DataError>([&] {
          static_cast<void>(
              EnforcedRouter(Enforced::index, 4).route(at::empty({5, 2}), {offsets, {}, {}, expert}, {}, nullptr));
        }),
        HasSubstr(str("router: the expert of a text must be in 0..3, ", said, " (sequence 1 of the batch)")));
  }
  EXPECT_THAT(
      test::error_of<DataError>([&] {
        static_cast<void>(EnforcedRouter(Enforced::index, 4).route(at::empty({5, 2}), {offsets, {}, {}}, {}, nullptr));
      }),
      HasSubstr("'index' needs texts that name an 'expert', got texts that name none"));
}

TEST(TokenTypeRouter, sends_each_token_to_the_expert_of_its_type) {
  const std::vector<std::int64_t> offsets = {0, 2, 5};
  const std::vector<std::int32_t> type = {0, 1, 1, 0, 1};

  const Choice choice =
      EnforcedRouter(Enforced::token_type, 2).route(at::empty({5, 2}), {offsets, {}, {}, {}, type}, {}, nullptr).choice;

  EXPECT_TRUE(at::equal(choice.expert_S, at::tensor({0, 1, 1, 0, 1}, at::kLong)));
}

TEST(TokenTypeRouter, refuses_a_type_without_an_expert) {
  const std::vector<std::int64_t> offsets = {0, 2};
  const std::vector<std::int32_t> type = {0, 2};

  EXPECT_THAT(
      test::error_of<DataError>([&] {
        static_cast<void>(
            EnforcedRouter(Enforced::token_type, 2).route(at::empty({2, 2}), {offsets, {}, {}, {}, type}, {}, nullptr));
      }),
      HasSubstr("router: the type of a token must be in 0..1, got 2 (token 1 of the batch)"));
}

TEST(DenseRouter, sends_every_token_to_the_one_expert) {
  const std::vector<std::int64_t> offsets = {0, 2, 5};

  const Choice choice =
      EnforcedRouter(Enforced::one, 1).route(at::empty({5, 2}), {offsets, {}, {}}, {}, nullptr).choice;

  EXPECT_TRUE(at::equal(choice.expert_S, at::zeros({5}, at::kLong)));
}

}  // namespace
}  // namespace coterie::experts
