// Rows of a table by the names of a study, whatever axes the command line adds or takes away.
#include "sweep/rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace coterie::sweep {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

const StudyOptions kStudy = {.grid = {"layers=one,all", "seed=0,1"},
                             .cells = {"a: k=1", "b: k=2"},
                             .composed = {"both: x=a,layers=one y=b,layers=one"},
                             .baseline = "a,layers=one",
                             .contrasts = {"b,layers=one vs a,layers=one", "b,layers=all vs b,layers=one",
                                           "both vs a,layers=one", "a,layers=all vs bm25"}};
const References kReferences = {{"untouched", "bm25"}, {"untouched", "bm25"}};

std::vector<std::string> texts_of(const std::vector<Contrast>& contrasts) {
  std::vector<std::string> texts;
  for (const Contrast& contrast : contrasts) texts.push_back(contrast.text());
  return texts;
}

template <class Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "not refused";
}

std::string refusal_of(const StudyOptions& study) {
  return refusal([&] { (void)rows_of(study, expand(study, {}), kReferences); });
}

TEST(Rows, are_those_that_the_study_names) {
  const std::vector<Cell> cells = expand(kStudy, {});

  const Rows rows = rows_of(kStudy, cells, kReferences);

  ASSERT_EQ(rows.composed.size(), 1U);
  EXPECT_EQ(rows.composed[0].name, "both");
  EXPECT_EQ(rows.composed[0].parts[1].text(), "y=b,layers=one");
  EXPECT_EQ(texts_of(rows.contrasts), kStudy.contrasts);
  EXPECT_EQ(rows.baseline, "a,layers=one");
  EXPECT_THAT(rows.warnings, IsEmpty());
}

TEST(Rows, stand_for_one_at_each_value_of_an_axis_that_arguments_add) {
  const std::vector<Cell> cells = expand(kStudy, {"lr=1,2"});

  const Rows rows = rows_of(kStudy, cells, kReferences);

  ASSERT_EQ(rows.composed.size(), 2U);
  EXPECT_EQ(rows.composed[1].name, "both,lr=2");
  EXPECT_EQ(rows.composed[1].parts[0].text(), "x=a,layers=one,lr=2");
  EXPECT_THAT(texts_of(rows.contrasts),
              ElementsAre("b,layers=one,lr=1 vs a,layers=one,lr=1", "b,layers=one,lr=2 vs a,layers=one,lr=2",
                          "b,layers=all,lr=1 vs b,layers=one,lr=1", "b,layers=all,lr=2 vs b,layers=one,lr=2",
                          "both,lr=1 vs a,layers=one,lr=1", "both,lr=2 vs a,layers=one,lr=2",
                          "a,layers=all,lr=1 vs bm25", "a,layers=all,lr=2 vs bm25"));
  EXPECT_EQ(rows.baseline, "a,layers=one");
  EXPECT_THAT(rows.warnings, IsEmpty());
}

TEST(Rows, of_cells_that_arguments_take_away_are_left_out) {
  const std::vector<Cell> cells = expand(kStudy, {"layers=all"});

  const Rows rows = rows_of(kStudy, cells, kReferences);

  EXPECT_THAT(rows.composed, IsEmpty());
  EXPECT_THAT(texts_of(rows.contrasts), ElementsAre("a,layers=all vs bm25"));
  EXPECT_EQ(rows.baseline, "a,layers=all");
  EXPECT_EQ(rows.baselines.at("b,layers=all"), "a,layers=all");
  EXPECT_THAT(rows.warnings,
              ElementsAre(EndsWith(kStudy.composed[0]), EndsWith(kStudy.contrasts[0]), EndsWith(kStudy.contrasts[1]),
                          EndsWith(kStudy.contrasts[2]),
                          "the arguments leave no cells for the baseline 'a,layers=one'; it is 'a,layers=all'"));
}

TEST(Rows, of_references_that_arguments_take_away_are_left_out) {
  StudyOptions study = kStudy;
  study.baseline = "bm25";

  const Rows rows = rows_of(study, expand(study, {}), {{"untouched"}, kReferences.in_the_file});

  EXPECT_EQ(rows.contrasts.size(), 3U);
  EXPECT_EQ(rows.baseline, "a,layers=one");
  EXPECT_THAT(rows.warnings, ElementsAre(EndsWith("a,layers=all vs bm25"), HasSubstr("the baseline 'bm25'")));
}

TEST(Rows, that_have_no_value_in_common_are_left_out) {
  StudyOptions study = {.cells = {"a: k=1", "b: k=2"}, .skip = {"cell=a lr=2", "cell=b lr=1"}};
  study.contrasts = {"a vs b"};

  const Rows rows = rows_of(study, expand(study, {"lr=1,2"}), {});

  EXPECT_THAT(rows.contrasts, IsEmpty());
  EXPECT_THAT(rows.warnings, ElementsAre(EndsWith("a vs b")));
}

// Two of its own axes would be mixed.
TEST(Rows, are_not_named_by_a_part_of_the_study_s_own_combination) {
  StudyOptions study = kStudy;
  study.contrasts = {"a vs b"};
  EXPECT_THAT(refusal_of(study), HasSubstr("must be one of a,layers=one | "));
}

TEST(Rows, that_the_study_itself_skips_are_refused) {
  StudyOptions study = kStudy;
  study.skip = {"cell=a layers=all", "cell=b optim.lr=3"};
  EXPECT_THAT(refusal([&] { (void)rows_of(study, expand(study, {"optim.lr=2,3"}), kReferences); }),
              HasSubstr("got 'a,layers=all'"));
}

TEST(Rows, are_no_parts_of_composed_ones_if_composed_themselves) {
  const StudyOptions study = {.cells = {"a: k=1"}, .composed = {"one: x=a", "two: x=one"}};
  EXPECT_THAT(refusal_of(study), HasSubstr("sweep.composed must be one of a, got 'one'"));
}

TEST(Rows, that_name_nothing_are_refused) {
  StudyOptions study = {.cells = {"a: k=1", "b: k=2"}};
  study.contrasts = {"a vs c"};
  EXPECT_THAT(refusal_of(study), HasSubstr("sweep.contrasts must be one of a | b | untouched | bm25, got 'c'"));
  study.contrasts = {"a - b"};
  EXPECT_THAT(refusal_of(study), HasSubstr("must be 'name vs name'"));
  study.contrasts = {};
  study.composed = {"both: x=a y=c"};
  EXPECT_THAT(refusal_of(study), HasSubstr("sweep.composed must be one of a | b, got 'c'"));
  study.composed = {"both:"};
  EXPECT_THAT(refusal_of(study), HasSubstr("must name a cell for each domain"));
  study.composed = {"x=a y=b"};
  EXPECT_THAT(refusal_of(study), HasSubstr("sweep.composed must be 'name: key=value ...'"));
}

TEST(Baseline, is_the_named_row_or_the_first_cell) {
  const StudyOptions study = {.cells = {"a: k=1", "b: k=2"}, .composed = {"both: x=a y=b"}};
  const auto with = [&](const std::string& baseline) {
    StudyOptions named = study;
    named.baseline = baseline;
    const Rows rows = rows_of(named, expand(study, {}), kReferences);
    for (const char* row : {"a", "b", "both", "untouched", "bm25"}) EXPECT_EQ(rows.baselines.at(row), rows.baseline);
    return rows.baseline;
  };

  EXPECT_EQ(with(""), "a");
  EXPECT_EQ(with("b"), "b");
  EXPECT_EQ(with("both"), "both");
  EXPECT_EQ(with("bm25"), "bm25");
  EXPECT_THAT(refusal([&] { (void)with("c"); }),
              HasSubstr("sweep.baseline must be one of a | b | both | untouched | bm25, got 'c'"));
}

TEST(Baseline, is_that_of_a_row_s_own_values_where_arguments_add_an_axis) {
  StudyOptions study = {.cells = {"a: k=1", "b: k=2"}};
  study.baseline = "a";

  const Rows rows = rows_of(study, expand(study, {"lr=1,2"}), kReferences);

  EXPECT_EQ(rows.baseline, "a");
  EXPECT_EQ(rows.baselines.at("a,lr=2"), "a,lr=2");
  EXPECT_EQ(rows.baselines.at("b,lr=2"), "a,lr=2");
  EXPECT_EQ(rows.baselines.at("bm25"), "a,lr=1");
  EXPECT_THAT(rows.warnings, IsEmpty());
}

TEST(Baseline, is_none_where_it_was_skipped_at_a_row_s_values) {
  StudyOptions study = {.cells = {"a: k=1", "b: k=2"}, .skip = {"cell=a lr=2"}};
  study.baseline = "a";

  const Rows rows = rows_of(study, expand(study, {"lr=1,2"}), {});

  EXPECT_EQ(rows.baselines.at("b,lr=1"), "a,lr=1");
  EXPECT_FALSE(rows.baselines.contains("b,lr=2"));
}

TEST(Baseline, may_be_one_row_for_all) {
  StudyOptions study = {.cells = {"a: k=1", "b: k=2"}};
  for (const std::string named : {"", "a,lr=2", "bm25"}) {
    study.baseline = named;
    const std::string expected = named.empty() ? "a,lr=1" : named;

    const Rows rows = rows_of(study, expand(study, {"lr=1,2"}), kReferences);

    for (const char* row : {"a,lr=1", "b,lr=2", "untouched"}) EXPECT_EQ(rows.baselines.at(row), expected);
  }
}

}  // namespace
}  // namespace coterie::sweep
