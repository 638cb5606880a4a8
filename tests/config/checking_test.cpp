// Types, bounds, choices, unknown keys and conditions across fields, all reported at once.
#include <ostream>

#include "config/spelling.h"
#include "sample.h"
#include "tests/harness/described.h"

namespace coterie::test {
namespace {

using Checking = ConfigTest;

TEST_F(Checking, all_problems_are_reported_at_once_with_their_origins) {
  write("configs/train.toml", "defaults = ['experts/top2']\nsed = 3\n");
  write("configs/experts/top2.toml", "[experts]\nnum_experts = 16\n\nscore = 'relu'\n");

  EXPECT_EQ(message("configs/train.toml", {"experts.top_k=0", "experts.top_l=1", "optim.lr=1,2", "optim.foreach=1"}),
            "config: 6 problems\n"
            "  optim.lr is '1,2', must be one value; only `coterie sweep` takes lists, and a string with a comma needs "
            "quotes (argument 'optim.lr=1,2')\n"
            "  experts.top_k is 0, must be 1..64 (argument 'experts.top_k=0')\n"
            "  experts.score is 'relu', must be one of softmax, sigmoid (configs/experts/top2.toml:4:9)\n"
            "  optim.foreach is 1, must be true or false (argument 'optim.foreach=1')\n"
            "  unknown key 'experts.top_l' (argument 'experts.top_l=1'); did you mean 'experts.top_k'?\n"
            "  unknown key 'sed' (configs/train.toml:2:1); did you mean 'seed'?");
}

struct BadValue {
  std::string argument;
  std::string problem;
};

std::ostream& operator<<(std::ostream& out, const BadValue& bad) { return out << bad.argument; }

class CheckingValues : public testing::TestWithParam<BadValue> {};

TEST_P(CheckingValues, names_what_was_wanted) {
  const auto& [argument, problem] = GetParam();

  try {
    static_cast<void>(config::read<RootOptions>(config::compose({argument})));
    FAIL() << argument << " was accepted";
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.what(), "config: 1 problem\n  " + problem + " (argument '" + argument + "')");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Checking, CheckingValues,
    testing::Values(BadValue{"seed=x", "seed is 'x', must be an integer"},
                    BadValue{"seed=1.0", "seed is 1.0, must be an integer"},
                    BadValue{"seed=[1]", "seed is a list, must be an integer"},
                    BadValue{"seed={a = 1}", "seed is a table, must be an integer"},
                    BadValue{"seed=-1", "seed is -1, must be at least 0"},
                    BadValue{"seed=9223372036854775808", "seed is '9223372036854775808', must be an integer"},
                    BadValue{"experts.num_experts=4097", "experts.num_experts is 4097, must be 1..4096"},
                    BadValue{"optim.momentum=1.5", "optim.momentum is 1.5, must be 0..1"},
                    BadValue{"optim.momentum=2", "optim.momentum is 2, must be 0..1"},
                    BadValue{"optim.momentum=nan", "optim.momentum is nan, must be 0..1"},
                    BadValue{"optim.lr=nan", "optim.lr is nan, must be a finite number"},
                    BadValue{"optim.lr=-inf", "optim.lr is -inf, must be a finite number"},
                    BadValue{"experts.aux.balance=nan", "experts.aux.balance is nan, must be at least 0"},
                    BadValue{"optim.lr=fast", "optim.lr is 'fast', must be a number"},
                    BadValue{"optim.lr=true", "optim.lr is true, must be a number"},
                    BadValue{"optim.foreach=yes", "optim.foreach is 'yes', must be true or false"},
                    BadValue{"run=7", "run is 7, must be a string"},
                    BadValue{"experts.score=3", "experts.score is 3, must be one of softmax, sigmoid"},
                    BadValue{"experts.score=Softmax", "experts.score is 'Softmax', must be one of softmax, sigmoid"},
                    BadValue{"experts.layers=[true]", "experts.layers is a list with true, must be a list of strings"},
                    BadValue{"experts.layers=false", "experts.layers is false, must be a list of strings"},
                    BadValue{"optim=3", "optim is 3, must be a table"}));

TEST_F(Checking, a_date_is_shown_as_one) {
  write("a.toml", "run = 2024-01-05\n");

  EXPECT_EQ(message("a.toml"),
            "config: 1 problem\n  run is 2024-01-05 (a date or time), must be a string (a.toml:1:7)");
}

TEST_F(Checking, a_list_item_is_reported_at_its_own_place) {
  write("a.toml", "[experts]\nlayers = [\n  'a',\n  true]\n");

  EXPECT_EQ(message("a.toml"),
            "config: 1 problem\n  experts.layers is a list with true, must be a list of strings (a.toml:4:3)");
}

TEST_F(Checking, an_integer_is_taken_where_a_number_is_wanted) {
  write("a.toml", "[optim]\nmomentum = 1\n");

  EXPECT_EQ(read("a.toml").optim.momentum, 1.0);
}

TEST_F(Checking, bounds_are_inclusive) {
  write("a.toml", "");

  EXPECT_EQ(read("a.toml", {"experts.num_experts=4096", "experts.top_k=64"}).experts.num_experts, 4096);
  EXPECT_EQ(read("a.toml", {"optim.momentum=0.0"}).optim.momentum, 0.0);
}

TEST_F(Checking, infinity_is_taken_where_the_bounds_include_it) {
  write("a.toml", "[experts.aux]\nbalance = inf\n");

  EXPECT_EQ(read("a.toml").experts.aux.balance, std::numeric_limits<double>::infinity());
}

TEST_F(Checking, conditions_across_fields_are_reported_with_the_origin_of_the_named_key) {
  write("a.toml", "optim.lr = 'x'\nexperts.top_k = 9\n");

  EXPECT_EQ(message("a.toml"),
            "config: 2 problems\n"
            "  optim.lr is 'x', must be a number (a.toml:1:12)\n"
            "  experts.top_k is 9, must be at most experts.num_experts (8) (a.toml:2:17)");
  EXPECT_EQ(message_of({"experts.num_experts=1"}),
            "config: 1 problem\n  experts.top_k is 2, must be at most experts.num_experts (1) (default)");
}

TEST_F(Checking, a_key_that_is_already_wrong_is_not_reported_twice) {
  config::Problems problems;
  problems.record("a", "1", "here");
  problems.add("a", "must be 2");
  problems.add("a", "must be less than b");

  try {
    problems.throw_if_any();
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(), "config: 1 problem\n  a is 1, must be 2 (here)");
  }
}

TEST_F(Checking, a_problem_of_a_key_that_does_not_exist_is_a_bug) {
  config::Problems problems;

  EXPECT_THROW(problems.add("experts.top_q", "must be less"), ShapeError);
}

TEST_F(Checking, an_unknown_table_is_one_problem_and_may_be_a_misspelt_section) {
  write("a.toml", "[expert]\ntop_k = 1\nscore = 'x'\n");

  EXPECT_EQ(message("a.toml"), "config: 1 problem\n  unknown key 'expert' (a.toml:1:2); did you mean 'experts'?");
}

TEST_F(Checking, a_key_far_from_all_known_ones_gets_no_suggestion) {
  EXPECT_EQ(message_of({"warp=1"}), "config: 1 problem\n  unknown key 'warp' (argument 'warp=1')");
}

TEST_F(Checking, a_setting_below_a_scalar_is_a_type_error) {
  EXPECT_EQ(message_of({"run.name=x"}),
            "config: 1 problem\n  run is a table, must be a string (argument 'run.name=x')");
}

TEST(NearestName, is_bounded_by_two_edits_or_a_third_of_the_length) {
  const std::vector<std::string> known = {"seed", "experts.num_experts", "seen"};

  EXPECT_EQ(config::nearest_name("sed", known), "seed");  // one edit
  EXPECT_EQ(config::nearest_name("sd", known), "seed");   // two, the least that is always allowed
  EXPECT_EQ(config::nearest_name("s", known), "");        // three
  EXPECT_EQ(config::nearest_name("see", known), "seed");  // first of equals
  EXPECT_EQ(config::nearest_name("expert_num_experts", known), "experts.num_experts");
  EXPECT_EQ(config::nearest_name("expe.nu_exp", known), "");  // eight edits, a third of eleven is three
  EXPECT_EQ(config::nearest_name("experts.numexpXXXXX", known), "experts.num_experts");  // six of nineteen
  EXPECT_EQ(config::nearest_name("experts.numeXXXXXXX", known), "");                     // more
}

TEST(Schema, every_member_of_every_section_is_described) { EXPECT_EQ(undescribed<RootOptions>(), ""); }

struct Forgetful {
  int a = 0;
  std::string b;
  std::vector<std::string> c;
  AuxOptions aux;
};

inline void describe(config::Visitor& v, Forgetful& o) {
  v.section("aux", o.aux, "nested");
  v.field("b", o.b, "text");
}

TEST(Schema, a_forgotten_member_is_noticed) {
  EXPECT_EQ(undescribed<Forgetful>(), "the root: 2 of 4 members described\n");
}

}  // namespace
}  // namespace coterie::test
