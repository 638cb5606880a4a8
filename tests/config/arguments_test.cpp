// What the right-hand side of `key=value` may be.
#include "config/argument.h"
#include "sample.h"

namespace coterie::test {
namespace {

using Arguments = ConfigTest;

RootOptions of(const std::vector<std::string>& arguments) {
  return config::read<RootOptions>(config::compose(arguments));
}

TEST_F(Arguments, right_hand_sides_are_toml_values) {
  const RootOptions options =
      of({"seed=0x10", "optim.lr=3e-4", "optim.foreach=true", "experts.layers=[\"0\", 'b,c']", "run=\"a b\""});

  EXPECT_EQ(options.seed, 16);
  EXPECT_EQ(options.optim.lr, 3e-4);
  EXPECT_TRUE(options.optim.foreach);
  EXPECT_EQ(options.experts.layers, (std::vector<std::string>{"0", "b,c"}));
  EXPECT_EQ(options.run, "a b");
}

TEST_F(Arguments, a_bare_word_is_a_string) {
  for (const std::string word : {"demo", "../shared/data", "a b", "it's", "a=b", "a#b", "1 # one", "1] #", "2024-01-05",
                                 "01", "x[1,2]", "1\nseed = 3", "caf\xC3\xA9"})
    EXPECT_EQ(of({"run=" + word}).run, word);
}

TEST_F(Arguments, a_bare_word_may_stand_for_a_list_of_one) {
  EXPECT_EQ(of({"experts.layers=middle"}).experts.layers, std::vector<std::string>{"middle"});
}

TEST_F(Arguments, numbers_in_a_list_of_strings_are_taken_as_text) {
  EXPECT_EQ(of({"experts.layers=[0, 3, 1.5]"}).experts.layers, (std::vector<std::string>{"0", "3", "1.5"}));
  EXPECT_EQ(of({"experts.layers=11"}).experts.layers, std::vector<std::string>{"11"});
}

TEST_F(Arguments, the_empty_string_is_written_with_quotes) {
  EXPECT_EQ(of({"run=''"}).run, "");
  EXPECT_EQ(message_of({"run="}),
            "config: 1 problem\n  run is '', must have a value; the empty string is '' (argument 'run=')");
}

TEST_F(Arguments, a_comma_list_is_refused_as_belonging_to_sweeps) {
  EXPECT_EQ(message_of({"optim.lr=1e-3,3e-4"}),
            "config: 1 problem\n"
            "  optim.lr is '1e-3,3e-4', must be one value; only `coterie sweep` takes lists, and a string with a comma "
            "needs quotes (argument 'optim.lr=1e-3,3e-4')");
}

TEST_F(Arguments, commas_count_only_outside_brackets_and_quotes) {
  EXPECT_EQ(of({"run='a,b'"}).run, "a,b");
  EXPECT_EQ(of({"run=\"a\\\",b\""}).run, "a\",b");
  EXPECT_EQ(of({"experts.layers=[\"a]\", \"b\"]"}).experts.layers, (std::vector<std::string>{"a]", "b"}));
  for (const std::string list : {"'a','b'", "[\"1\"],[\"2\"]", "it's,its", "a,b", "a,"})
    EXPECT_NE(message_of({"run=" + list}).find("coterie sweep"), std::string::npos) << list;
}

TEST_F(Arguments, a_value_that_opens_like_toml_and_is_none_is_an_error_not_a_word) {
  for (const std::string text : {"\"open", "'open", "[1", "{a=1", "[cisi,cacm]", "[[[[[", "\"a\" # b"}) {
    const std::string got = message_of({"experts.layers=" + text});
    EXPECT_NE(got.find("must be a TOML value (strings inside brackets need quotes): "), std::string::npos) << got;
    EXPECT_NE(got.find("(argument 'experts.layers=" + text + "')"), std::string::npos) << got;
  }
}

TEST_F(Arguments, malformed_arguments_are_all_reported_with_the_values) {
  EXPECT_EQ(message_of({"optim", "=3", "a..b=1", "seed=-1", "run=\xFF"}),
            "config: 5 problems\n"
            "  argument 'optim' has no '=', must be key=value\n"
            "  argument '=3' has an empty key, must be key=value\n"
            "  argument 'a..b=1' has an empty key, must be key=value\n"
            "  argument 'run=\\xff' is not UTF-8\n"
            "  seed is -1, must be at least 0 (argument 'seed=-1')");
}

TEST_F(Arguments, deep_keys_and_values_are_refused_before_they_can_overflow_the_stack) {
  std::string key = "a";
  for (int i = 0; i < 40000; ++i) key += ".a";

  EXPECT_NE(message_of({key + "=1"}).find("nests deeper than 32 levels"), std::string::npos);
  EXPECT_NE(message_of({"run=" + std::string(40000, '[')}).find("nested deeper than 32 levels"), std::string::npos);
  EXPECT_NE(message_of({"run={" + key + "=1}"}).find("nested deeper than 32 levels"), std::string::npos);
}

TEST(Alternatives, are_parted_by_commas_outside_brackets_and_quotes) {
  using List = std::vector<std::string>;

  EXPECT_EQ(config::alternatives("1e-3,3e-4"), (List{"1e-3", "3e-4"}));
  EXPECT_EQ(config::alternatives("[0,1],all,'a,b',\"c,\\\"d\""), (List{"[0,1]", "all", "'a,b'", "\"c,\\\"d\""}));
  EXPECT_EQ(config::alternatives("it's,fine"), (List{"it's", "fine"}));
  EXPECT_EQ(config::alternatives("1,,2,"), (List{"1", "", "2", ""}));
  EXPECT_EQ(config::alternatives(""), List{""});
}

TEST_F(Arguments, control_characters_do_not_reach_messages) {
  EXPECT_EQ(message_of({"seed=a\n\x1B[31m"}),
            "config: 1 problem\n  seed is 'a\\x0a\\x1b[31m', must be an integer (argument 'seed=a\\x0a\\x1b[31m')");
}

TEST_F(Arguments, long_arguments_are_cut_in_messages) {
  const std::string got = message_of({"seed=" + std::string(100000, 'x')});

  EXPECT_LT(got.size(), 500U);
  EXPECT_NE(got.find("xxx'..."), std::string::npos);
}

}  // namespace
}  // namespace coterie::test
