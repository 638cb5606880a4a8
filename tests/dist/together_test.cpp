// Phases that fail on some ranks: all ranks learn it, and the group stays usable.
#include "dist/together.h"

#include "base/error.h"
#include "groups.h"

namespace coterie::dist {
namespace {

class Together : public OnEveryBackend {
 protected:
  /// What the call throws: exit code and text; Exit::ok if nothing.
  struct Outcome {
    Exit code = Exit::ok;
    std::string text;
  };
  template <class Call>
  Outcome outcome_of(Call&& call) const {
    try {
      call();
    } catch (const Error& error) {
      return {error.code(), error.what()};
    }
    return {};
  }
  [[nodiscard]] Outcome of_phase(const std::function<void()>& phase) const {
    return outcome_of([&] { together(group(), phase); });
  }
  /// Collectives still pair up: nobody is one ahead.
  void expect_usable() const { EXPECT_EQ(group().all_reduce(std::int64_t{rank() + 1}), size() * (size() + 1) / 2); }
};

INSTANTIATE_TEST_SUITE_P(Groups, Together, testing::ValuesIn(backends()), BackendName());

TEST_P(Together, runs_the_phase_once_on_every_rank) {
  int runs = 0;

  together(group(), [&] { ++runs; });

  EXPECT_EQ(runs, 1);
}

TEST_P(Together, throws_the_error_of_any_one_rank_on_all_with_its_code) {
  for (int failing = 0; failing < size(); ++failing) {
    const Outcome outcome = of_phase([&] {
      if (rank() == failing) throw DataError(str("unit: wrong on ", failing));
    });

    EXPECT_EQ(outcome.code, Exit::data);
    EXPECT_EQ(outcome.text, str("unit: wrong on ", failing));
  }
  expect_usable();
}

TEST_P(Together, throws_the_first_ranks_error_when_several_fail) {
  const Outcome outcome = of_phase([&] {
    if (rank() == 0) throw IoError("unit: wrong on 0");
    throw ConfigError("unit: wrong elsewhere");
  });

  EXPECT_EQ(outcome.code, Exit::io);
  EXPECT_EQ(outcome.text, "unit: wrong on 0");
  expect_usable();
}

TEST_P(Together, takes_what_is_not_our_error_as_a_bug) {
  const Outcome standard = of_phase([&] {
    if (rank() == size() - 1) throw std::out_of_range("from a library");
  });
  const Outcome nameless = of_phase([&] {
    if (rank() == size() - 1) throw 7;
  });

  EXPECT_EQ(standard.code, Exit::bug);
  EXPECT_EQ(standard.text, "from a library");
  EXPECT_EQ(nameless.code, Exit::bug);
  EXPECT_FALSE(nameless.text.empty());
  expect_usable();
}

TEST_P(Together, notices_an_error_without_a_text) {
  const Outcome outcome = of_phase([&] {
    if (rank() == size() - 1) throw LockedError("");
  });

  EXPECT_EQ(outcome.code, Exit::locked);
  expect_usable();
}

TEST_P(Together, on_the_leader_runs_on_rank_0_only_and_gives_its_text_to_all) {
  int runs = 0;

  const std::string text = on_leader(group(), [&] {
    ++runs;
    return str("from ", rank());
  });

  EXPECT_EQ(text, "from 0");
  EXPECT_EQ(runs, rank() == 0 ? 1 : 0);
}

TEST_P(Together, on_the_leader_an_error_reaches_all) {
  const Outcome outcome =
      outcome_of([&] { on_leader(group(), []() -> std::string { throw IoError("unit: cannot write"); }); });

  EXPECT_EQ(outcome.code, Exit::io);
  EXPECT_EQ(outcome.text, "unit: cannot write");
  expect_usable();
}

}  // namespace
}  // namespace coterie::dist
