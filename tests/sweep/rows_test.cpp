// Rows of a table by the names of a study, whatever axes the command line adds or takes away.
#include "sweep/rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace coterie::sweep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const StudyOptions kStudy = {.grid = {"layers=one,all", "seed=0,1"},
                             .cells = {"a: k=1", "b: k=2"},
                             .composed = {"both: x=a,layers=one y=b,layers=one"},
                             .baseline = "a,layers=one",
                             .contrasts = {"b,layers=one vs a,layers=one", "b,layers=all vs b,layers=one",
                                           "both vs a,layers=one", "a,layers=all vs bm25"}};
const std::vector<std::string> kReferences = {"untouched", "bm25"};

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

  Rows rows = rows_of(kStudy, cells, kReferences);

  ASSERT_EQ(rows.composed.size(), 1U);
  EXPECT_EQ(rows.composed[0].name, "both");
  EXPECT_EQ(rows.composed[0].parts[1].text(), "y=b,layers=one");
  EXPECT_EQ(texts_of(rows.contrasts), kStudy.contrasts);
  EXPECT_EQ(baseline_of(kStudy, cells, kReferences, rows), "a,layers=one");
  EXPECT_THAT(rows.left_out, IsEmpty());
}

TEST(Rows, stand_for_one_at_each_value_of_an_axis_that_arguments_add) {
  const std::vector<Cell> cells = expand(kStudy, {"lr=1,2"});

  Rows rows = rows_of(kStudy, cells, kReferences);

  ASSERT_EQ(rows.composed.size(), 2U);
  EXPECT_EQ(rows.composed[1].name, "both,lr=2");
  EXPECT_EQ(rows.composed[1].parts[0].text(), "x=a,layers=one,lr=2");
  EXPECT_THAT(texts_of(rows.contrasts),
              ElementsAre("b,layers=one,lr=1 vs a,layers=one,lr=1", "b,layers=one,lr=2 vs a,layers=one,lr=2",
                          "b,layers=all,lr=1 vs b,layers=one,lr=1", "b,layers=all,lr=2 vs b,layers=one,lr=2",
                          "both,lr=1 vs a,layers=one,lr=1", "both,lr=2 vs a,layers=one,lr=2",
                          "a,layers=all,lr=1 vs bm25", "a,layers=all,lr=2 vs bm25"));
  EXPECT_EQ(baseline_of(kStudy, cells, kReferences, rows), "a,layers=one");
  EXPECT_THAT(rows.left_out, IsEmpty());
}

TEST(Rows, of_cells_that_arguments_take_away_are_left_out) {
  const std::vector<Cell> cells = expand(kStudy, {"layers=all"});

  Rows rows = rows_of(kStudy, cells, kReferences);

  EXPECT_THAT(rows.composed, IsEmpty());
  EXPECT_THAT(texts_of(rows.contrasts), ElementsAre("a,layers=all vs bm25"));
  EXPECT_EQ(baseline_of(kStudy, cells, kReferences, rows), "a,layers=all");
  EXPECT_THAT(rows.left_out, ElementsAre(kStudy.composed[0], kStudy.contrasts[0], kStudy.contrasts[1],
                                         kStudy.contrasts[2], "baseline a,layers=one"));
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
  const std::vector<Cell> cells = expand(study, {});
  const auto with = [&](const std::string& baseline) {
    StudyOptions named = study;
    named.baseline = baseline;
    Rows rows = rows_of(named, cells, kReferences);
    return baseline_of(named, cells, kReferences, rows);
  };

  EXPECT_EQ(with(""), "a");
  EXPECT_EQ(with("b"), "b");
  EXPECT_EQ(with("both"), "both");
  EXPECT_EQ(with("bm25"), "bm25");
  EXPECT_THAT(refusal([&] { (void)with("c"); }),
              HasSubstr("sweep.baseline must be one of a | b | both | untouched | bm25, got 'c'"));
}

}  // namespace
}  // namespace coterie::sweep
