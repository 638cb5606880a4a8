// Which cells a sweep has.
#include "sweep/cells.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace coterie::sweep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> folders(const std::vector<Cell>& cells) {
  std::vector<std::string> out;
  for (const Cell& cell : cells) out.push_back(cell.folder);
  return out;
}

std::string refusal(const StudyOptions& study, const std::vector<std::string>& settings = {}) {
  try {
    (void)expand(study, settings);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "not refused";
}

TEST(Cells, of_a_command_line_are_its_grid_with_the_last_key_fastest) {
  const auto cells = expand({}, {"optim.lr=1e-3,3e-4", "train.steps=5", "experts.top_k=1,2"});

  EXPECT_THAT(folders(cells), ElementsAre("optim.lr=1e-3,experts.top_k=1", "optim.lr=1e-3,experts.top_k=2",
                                          "optim.lr=3e-4,experts.top_k=1", "optim.lr=3e-4,experts.top_k=2"));
  EXPECT_THAT(cells[1].settings, ElementsAre("train.steps=5", "optim.lr=1e-3", "experts.top_k=2"));
}

TEST(Cells, seeds_repeat_a_combination_under_one_name) {
  const auto cells = expand({.grid = {"seed=3,4", "optim.lr=1,2"}}, {});

  EXPECT_THAT(folders(cells),
              ElementsAre("optim.lr=1,seed=3", "optim.lr=1,seed=4", "optim.lr=2,seed=3", "optim.lr=2,seed=4"));
  EXPECT_EQ(cells[0].name, "optim.lr=1");
  EXPECT_EQ(cells[1].name, "optim.lr=1");
  EXPECT_EQ(cells[1].seed, "4");
  EXPECT_THAT(cells[1].settings, ElementsAre("optim.lr=1", "seed=4"));
}

TEST(Cells, named_ones_are_crossed_with_the_grid) {
  const auto cells =
      expand({.grid = {"seed=0,1"}, .cells = {"dense: experts=none ranks=1", "routed: experts=domain"}}, {});

  EXPECT_THAT(folders(cells), ElementsAre("dense,seed=0", "dense,seed=1", "routed,seed=0", "routed,seed=1"));
  EXPECT_THAT(cells[0].settings, ElementsAre("experts=none", "seed=0"));
  EXPECT_EQ(cells[0].ranks, "1");
  EXPECT_EQ(cells[2].ranks, "");
}

TEST(Cells, without_any_choice_are_one) { EXPECT_THAT(folders(expand({}, {"train.steps=5"})), ElementsAre("all")); }

TEST(Cells, a_setting_replaces_the_values_of_its_axis_and_keeps_the_folders) {
  const StudyOptions study{.grid = {"optim.lr=1,2", "seed=0,1,2"}};

  EXPECT_THAT(folders(expand(study, {"seed=1", "optim.lr=2"})), ElementsAre("optim.lr=2,seed=1"));
}

TEST(Cells, commas_inside_brackets_and_quotes_are_not_lists) {
  const auto cells = expand({}, {"experts.layers=[0,1],[2],all", "data.root='a,b'"});

  ASSERT_EQ(cells.size(), 3U);
  EXPECT_THAT(cells[0].settings, ElementsAre("data.root='a,b'", "experts.layers=[0,1]"));
}

TEST(Cells, skipped_combinations_are_left_out) {
  const StudyOptions study{.grid = {"ranks=1,2,4", "parallel.expert=1,2,4"},
                           .skip = {"ranks=1 parallel.expert=2,4", "ranks=2 parallel.expert=4"}};

  EXPECT_THAT(folders(expand(study, {})),
              ElementsAre("ranks=1,parallel.expert=1", "ranks=2,parallel.expert=1", "ranks=2,parallel.expert=2",
                          "ranks=4,parallel.expert=1", "ranks=4,parallel.expert=2", "ranks=4,parallel.expert=4"));
}

TEST(Cells, a_rule_may_name_a_cell) {
  const StudyOptions study{.grid = {"a=1,2"}, .cells = {"x: b=1", "y: b=2"}, .skip = {"cell=x a=2"}};

  EXPECT_THAT(folders(expand(study, {})), ElementsAre("x,a=1", "y,a=1", "y,a=2"));
}

TEST(Cells, what_cannot_be_read_is_refused_with_its_text) {
  EXPECT_THAT(refusal({.grid = {"optim.lr"}}), HasSubstr("grid must be key=value, got 'optim.lr'"));
  EXPECT_THAT(refusal({.grid = {"optim.lr=1,,2"}}), HasSubstr("with an empty one"));
  EXPECT_THAT(refusal({.grid = {"a=1", "a=2"}}), HasSubstr("got 'a' twice"));
  EXPECT_THAT(refusal({.cells = {"dense experts=none"}}), HasSubstr("must be 'name: key=value ...'"));
  EXPECT_THAT(refusal({.cells = {"a/b: x=1"}}), HasSubstr("plain name"));
  EXPECT_THAT(refusal({.cells = {"a: x=1", "a: x=2"}}), HasSubstr("got 'a' twice"));
  EXPECT_THAT(refusal({.grid = {"a=1,2"}, .skip = {"b=1"}}), HasSubstr("keys that the sweep sets, got 'b'"));
  EXPECT_THAT(refusal({.grid = {"a=1,2"}, .skip = {"a=3"}}), HasSubstr("values that cells have, 1 | 2, got '3' for a"));
  EXPECT_THAT(refusal({.grid = {"a=1,1"}}), HasSubstr("must list each value once"));
  EXPECT_THAT(refusal({.grid = {"a=1,2"}, .skip = {"a=1,2"}}), HasSubstr("none is left"));
  EXPECT_THAT(refusal({.grid = {"a=1,2"}, .skip = {""}}), HasSubstr("an empty one"));
}

// Otherwise all cells would be the same, under different names.
TEST(Cells, a_setting_for_all_that_a_named_cell_sets_is_refused) {
  EXPECT_THAT(refusal({.cells = {"dense: experts=none"}}, {"experts=domain"}),
              HasSubstr("experts must be left to the cell 'dense'"));
}

// An argument may take away the very values that the study skips.
TEST(Cells, may_skip_a_value_that_an_argument_took_away) {
  EXPECT_EQ(expand({.grid = {"a=1,2"}, .skip = {"a=2"}}, {"a=1"}).size(), 1U);
}

TEST(Cells, more_than_can_be_meant_are_refused) {
  std::string values = "a=0";
  for (int i = 1; i < 200; ++i) values += str(',', i);
  std::string others = values;
  others[0] = 'b';

  EXPECT_THAT(refusal({.grid = {values, others}}), HasSubstr("at most 10000"));
}

TEST(PlainName, keeps_what_is_plain_and_tells_the_rest_apart) {
  EXPECT_EQ(plain_name("optim.lr=1e-3,seed=0"), "optim.lr=1e-3,seed=0");
  EXPECT_THAT(plain_name("a/b"), testing::MatchesRegex("a_b-[0-9a-f]+"));
  EXPECT_NE(plain_name("a/b"), plain_name("a b"));
  EXPECT_NE(plain_name(".."), "..");
  EXPECT_NE(plain_name(std::string(300, 'a')), plain_name(std::string(301, 'a')));
  EXPECT_LE(plain_name(std::string(300, 'a')).size(), 140U);
}

}  // namespace
}  // namespace coterie::sweep
