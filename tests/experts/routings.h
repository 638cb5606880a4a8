// Routings of every kind, as plain lists that each rank knows of all ranks: the reference needs no communication.
#pragma once

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "experts/router.h"

namespace coterie::experts {

/// One token to one expert.
struct Assignment {
  std::int64_t token;
  std::int64_t expert;
};

/// What one rank's router decides.
struct RankRouting {
  std::int64_t tokens = 0;
  std::vector<Assignment> assignments;  ///< tokens ascending
};

inline constexpr std::int64_t kExperts = 8;

/// One way to route, for any number of ranks.
struct Scenario {
  std::string name;
  RankRouting (*on_rank)(int rank);
};

inline std::int64_t draw(int rank, std::int64_t place, std::int64_t bound) {
  const RandomKey key = RandomKey{41}.derive(static_cast<std::uint64_t>(rank));
  return static_cast<std::int64_t>(
      random_below(key, static_cast<std::uint64_t>(place), static_cast<std::uint64_t>(bound)));
}

/// `experts_of(token)` experts for each token, distinct and in no particular order.
template <class Count>
RankRouting draw_routing(int rank, std::int64_t tokens, Count experts_of) {
  RankRouting routing{tokens, {}};
  for (std::int64_t t = 0; t < tokens; ++t) {
    const std::int64_t first = draw(rank, t, kExperts);
    for (std::int64_t k = 0; k < experts_of(t); ++k) routing.assignments.push_back({t, (first + 3 * k) % kExperts});
  }
  return routing;
}

inline std::vector<Scenario> scenarios() {
  return {
      {"one_random_expert_each_and_uneven_tokens",
       [](int rank) { return draw_routing(rank, 5 + 4 * rank, [](auto) { return 1; }); }},
      {"most_experts_empty",
       [](int rank) {
         RankRouting routing{9, {}};
         for (std::int64_t t = 0; t < 9; ++t) routing.assignments.push_back({t, draw(rank, t, 2) * (kExperts - 1)});
         return routing;
       }},
      {"one_expert_takes_all",
       [](int rank) {
         RankRouting routing{3 + rank, {}};
         for (std::int64_t t = 0; t < routing.tokens; ++t) routing.assignments.push_back({t, 5});
         return routing;
       }},
      {"even_ranks_without_tokens",
       [](int rank) { return draw_routing(rank, rank % 2 == 0 ? 0 : 6, [](auto) { return 1; }); }},
      {"odd_ranks_without_tokens",
       [](int rank) { return draw_routing(rank, rank % 2 == 0 ? 6 : 0, [](auto) { return 1; }); }},
      {"no_tokens_at_all", [](int) { return RankRouting{}; }},
      {"two_experts_each", [](int rank) { return draw_routing(rank, 4 + 3 * rank, [](auto) { return 2; }); }},
      {"any_number_of_experts_each",
       [](int rank) { return draw_routing(rank, 7 + rank, [&](std::int64_t t) { return (2 * t + rank) % 4; }); }},
      {"as_many_assignments_as_tokens_but_not_one_each",
       [](int rank) { return draw_routing(rank, 6, [](std::int64_t t) { return 2 * (t % 2); }); }},
      {"tokens_without_any_expert",
       [](int rank) {
         return RankRouting{2 + rank, {}};
       }},
  };
}

/// As a router would hand it over.
inline Choice to_choice(const RankRouting& from) {
  std::vector<std::int64_t> token;
  std::vector<std::int64_t> expert;
  for (const Assignment& assignment : from.assignments) {
    token.push_back(assignment.token);
    expert.push_back(assignment.expert);
  }
  return {at::tensor(token, at::kLong), at::tensor(expert, at::kLong)};
}

/// How GoogleTest spells a scenario.
struct ScenarioName {
  std::string operator()(const testing::TestParamInfo<Scenario>& info) const { return info.param.name; }
};

}  // namespace coterie::experts
