// The table: means, spreads and tests over seeds, beside the baseline.
#include "sweep/comparison.h"

#include "sweep/contenders.h"
#include "tests/sweep/sweep_fixture.h"

namespace coterie::sweep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ComparisonTest : public SweepTest {
 protected:
  /// Finishes a cell with a value and a cost.
  void finish(std::size_t cell, double value, double seconds, double peak_mib) {
    finish(cell, {{"trained", {{"all", {{"roc_auc", value}}}}}}, seconds, peak_mib);
  }
  void finish(std::size_t cell, const nlohmann::json& eval, double seconds, double peak_mib) {
    const auto ops = test::unsynced_file_ops();
    fs::create_directories(folder(cell));
    write_plan(*ops, folder(cell), plan_.cells[cell]);
    Attempts attempts(ops, folder(cell));
    attempts.started("train", 0);
    attempts.ended("train", {.seconds = seconds, .core_seconds = 2 * seconds, .peak_mib = peak_mib});
    std::ofstream(folder(cell) / "eval.json") << eval;
    write_result(*ops, folder(cell));
  }
  [[nodiscard]] std::vector<Comparison> rows() const { return compare(plan_, {"all.roc_auc"}).comparisons; }
};

TEST_F(ComparisonTest, pairs_seeds_with_those_of_the_baseline) {
  finish(0, 0.5, 10, 100);
  finish(1, 0.625, 20, 300);
  finish(2, 0.53125, 30, 50);
  finish(3, 0.640625, 50, 60);

  const auto all = rows();

  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].cell, "a");
  EXPECT_EQ(all[0].mean, 0.5625);
  EXPECT_DOUBLE_EQ(*all[0].deviation, 0.125 / std::sqrt(2.0));
  EXPECT_FALSE(all[0].difference.has_value());
  EXPECT_EQ(all[0].seconds, 15.0);
  EXPECT_EQ(all[0].core_seconds, 30.0);
  EXPECT_EQ(all[0].peak_mib, 300.0);
  EXPECT_EQ(all[1].difference, 0.0234375);
  // Differences 1/32 and 1/64: t = 3 with one degree of freedom, 1 - 2 atan(3) / pi.
  EXPECT_NEAR(*all[1].p_t, 0.2048327646991335, 1e-12);
  EXPECT_EQ(all[1].p_sign, 0.5);
}

TEST_F(ComparisonTest, uses_the_seeds_that_both_have) {
  finish(0, 0.5, 1, 1);
  finish(2, 0.53125, 1, 1);
  finish(3, 0.99, 1, 1);

  const auto all = rows();

  EXPECT_EQ(all[1].difference, 0.03125);
  EXPECT_FALSE(all[1].p_t.has_value());
  EXPECT_EQ(all[1].seeds, 2);
  EXPECT_EQ(all[0].seeds, 1);
  EXPECT_THAT(comparison_table(all).text(), HasSubstr("1 of 2"));
}

TEST_F(ComparisonTest, of_nothing_is_a_table_of_dashes) {
  const auto all = rows();

  EXPECT_FALSE(all[0].mean.has_value());
  EXPECT_THAT(comparison_table(all).csv(), HasSubstr("a,all.roc_auc,0 of 2,-,-,-,-,-,-,-,-,-\n"));
}

TEST_F(ComparisonTest, a_measure_that_a_cell_lacks_is_none) {
  finish(0, 0.5, 1, 1);

  EXPECT_FALSE(compare(plan_, {"cisi.roc_auc"}).comparisons[0].mean.has_value());
}

TEST_F(ComparisonTest, the_files_hold_the_table_the_cells_and_how_to_read_them) {
  finish(0, 0.5, 1.25, 10);

  write_tables(*test::unsynced_file_ops(), plan_, {"all.roc_auc"});

  EXPECT_THAT(read_file(plan_.folder / "table.md"), HasSubstr("two-sided paired t-test"));
  EXPECT_THAT(read_file(plan_.folder / "table.csv"), HasSubstr("a,all.roc_auc,1 of 2,0.5000,-,-"));
  EXPECT_THAT(read_file(plan_.folder / "cells.csv"), HasSubstr("0,a,0,1,finished,0 of 3,0.5000,1.2,2.5,10,1\n"));
  const auto json = nlohmann::json::parse(read_file(plan_.folder / "table.json"));
  EXPECT_EQ(json["baseline"], "a");
  EXPECT_EQ(json["cells"].size(), 4U);
  EXPECT_EQ(json["cells"][0]["values"]["all.roc_auc"], 0.5);
  EXPECT_EQ(json["cells"][1]["state"], "waiting");
}

// Whatever was torn is made anew from the cells' own results.
TEST_F(ComparisonTest, a_damaged_table_is_replaced) {
  finish(0, 0.5, 1, 1);
  write_tables(*test::unsynced_file_ops(), plan_, {"all.roc_auc"});
  const std::string whole = read_file(plan_.folder / "table.json");
  fs::resize_file(plan_.folder / "table.json", whole.size() / 2);

  write_tables(*test::unsynced_file_ops(), plan_, {"all.roc_auc"});

  EXPECT_EQ(read_file(plan_.folder / "table.json"), whole);
}

/// A row that takes one domain from `a` and one from `b`.
class ComposedTest : public ComparisonTest {
 protected:
  ComposedTest() {
    plan_.composed = {{"both", {{"x", "a"}, {"y", "b"}}}};
    plan_.baselines["both"] = "a";
    finish_domains(0, 0.5, 0.125, 1);
    finish_domains(1, 0.75, 0.25, 2);
    finish_domains(2, 0.25, 0.625, 10);
  }
  void finish_domains(std::size_t cell, double x, double y, double seconds) {
    finish(cell, {{"trained", {{"all", {{"ap", (x + y) / 2}}}, {"x", {{"ap", x}}}, {"y", {{"ap", y}}}}}}, seconds,
           10 * seconds);
  }
  [[nodiscard]] Comparison row(const std::string& measure) const { return compare(plan_, {measure}).comparisons.at(2); }
};

TEST_F(ComposedTest, has_each_domains_measure_of_its_cell_at_the_same_seed) {
  EXPECT_EQ(row("x.ap").cell, "both");
  EXPECT_EQ(row("x.ap").mean, 0.625);
  EXPECT_EQ(row("y.ap").mean, 0.625);
  EXPECT_EQ(row("y.ap").seeds, 1);
  EXPECT_EQ(row("y.ap").planned, 2);
  EXPECT_EQ(row("y.ap").difference, 0.5);
  // Nothing measured all pairs with these models.
  EXPECT_FALSE(row("all.ap").mean.has_value());
}

TEST_F(ComposedTest, has_means_over_domains_where_all_of_its_cells_are_finished) {
  EXPECT_EQ(row("x+y.ap").mean, (0.5 + 0.625) / 2);
  EXPECT_EQ(row("x+y.ap").seeds, 1);
  EXPECT_EQ(row("x+y.ap").difference, 0.25);

  finish_domains(3, 0.25, 0.75, 20);

  EXPECT_EQ(row("x+y.ap").mean, (0.5625 + 0.75) / 2);
  // Differences 1/4 and 1/4.
  EXPECT_EQ(row("x+y.ap").p_t, 0.0);
}

TEST_F(ComposedTest, costs_what_all_of_its_cells_do) {
  EXPECT_EQ(row("x.ap").seconds, 11.0);
  EXPECT_EQ(row("x.ap").core_seconds, 22.0);
  EXPECT_EQ(row("x.ap").peak_mib, 100.0);
  EXPECT_THAT(reading(plan_), HasSubstr("both: x of a, y of b at the same seed"));
}

TEST_F(ComposedTest, has_a_name_of_its_own) {
  plan_.composed[0].name = "b";
  EXPECT_THROW((void)contenders_of(plan_), ConfigError);
}

TEST_F(ComparisonTest, contrasts_are_further_rows_of_differences) {
  plan_.contrasts = {{"b", "a"}};
  finish(0, 0.5, 1, 1);
  finish(1, 0.625, 1, 1);
  finish(2, 0.53125, 1, 1);

  const auto all = rows();

  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[2].cell, "b vs a");
  EXPECT_EQ(all[2].difference, 0.03125);
  EXPECT_EQ(all[2].seeds, 1);
  EXPECT_EQ(all[2].planned, 2);
  EXPECT_THAT(comparison_table(all).csv(), HasSubstr("b vs a,all.roc_auc,1 of 2,-,-,+0.0312,-,-,-,-,-,-\n"));
}

/// References in the evaluation of a cell of their own.
class ReferencesTest : public ComparisonTest {
 protected:
  ReferencesTest() {
    add_references();
    plan_.baselines["untouched"] = plan_.baselines["bm25"] = "a";
    finish(0, 0.5, 1, 1);
    finish(1, 0.625, 1, 1);
    finish(2, 0.75, 1, 1);
    finish(4, {{"model", {{"all", {{"roc_auc", 0.25}}}}}, {"bm25", {{"all", {{"roc_auc", 0.375}}}}}}, 7, 9);
  }
};

TEST_F(ReferencesTest, are_rows_that_are_the_same_beside_every_seed) {
  const auto all = rows();

  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[2].cell, "untouched");
  EXPECT_EQ(all[2].mean, 0.25);
  EXPECT_FALSE(all[2].deviation.has_value());
  EXPECT_EQ(all[2].difference, 0.25 - 0.5625);
  // Differences -1/4 and -3/8: t = -5 with one degree of freedom, 1 - 2 atan(5) / pi.
  EXPECT_NEAR(*all[2].p_t, 0.1256659163780024, 1e-12);
  EXPECT_EQ(all[3].cell, "bm25");
  EXPECT_EQ(all[3].difference, 0.375 - 0.5625);
  EXPECT_THAT(comparison_table(all).csv(), HasSubstr("untouched,all.roc_auc,-,0.2500,-,-0.3125,"));
}

// One evaluation measures them all: what it cost is told of their cell.
TEST_F(ReferencesTest, have_their_cost_in_their_cell) {
  EXPECT_FALSE(rows()[2].seconds.has_value());

  write_tables(*test::unsynced_file_ops(), plan_, {"all.roc_auc"});

  EXPECT_THAT(read_file(plan_.folder / "cells.csv"), HasSubstr("4,references,-,1,finished,-,-,7.0,14.0,9,1\n"));
  EXPECT_THAT(read_file(plan_.folder / "table.md"), HasSubstr("bm25: k1 = 0.9, b = 0.4."));
}

TEST_F(ReferencesTest, may_be_the_baseline) {
  for (auto& [row, baseline] : plan_.baselines) baseline = "untouched";

  const auto all = rows();

  EXPECT_EQ(all[0].difference, 0.5625 - 0.25);
  EXPECT_TRUE(all[0].p_t.has_value());
  EXPECT_FALSE(all[2].difference.has_value());
  EXPECT_EQ(all[3].difference, 0.125);
  EXPECT_FALSE(all[3].p_t.has_value());
}

TEST_F(ReferencesTest, may_be_contrasted) {
  plan_.contrasts = {{"b", "bm25"}, {"bm25", "untouched"}};

  const auto all = rows();

  EXPECT_EQ(all[4].difference, 0.375);
  EXPECT_EQ(all[4].seeds, 1);
  EXPECT_EQ(all[4].planned, 2);
  EXPECT_EQ(all[5].difference, 0.125);
  EXPECT_EQ(all[5].planned, 0);
}

TEST_F(ReferencesTest, have_names_that_no_cell_has) {
  plan_.cells[2].cell.name = plan_.cells[3].cell.name = "bm25";

  EXPECT_THROW((void)contenders_of(plan_), ConfigError);
}

// As where the command line gives a further axis.
TEST_F(ComparisonTest, each_is_compared_with_its_own_baseline_and_one_without_with_none) {
  for (std::size_t cell = 0; cell < 4; ++cell) {
    Cell& each = plan_.cells[cell].cell;
    each.name = str(each.name, ",lr=", each.seed);
    each.seed.clear();
  }
  plan_.baselines = {{"a,lr=0", "a,lr=0"}, {"a,lr=1", "a,lr=1"}, {"b,lr=1", "a,lr=1"}};
  const double values[] = {0.5, 0.25, 0.625, 0.75};
  for (std::size_t cell = 0; cell < 4; ++cell) finish(cell, values[cell], 1, 1);

  const auto all = rows();

  EXPECT_FALSE(all[0].difference.has_value());
  EXPECT_FALSE(all[1].difference.has_value());
  EXPECT_FALSE(all[2].difference.has_value());
  EXPECT_EQ(all[3].difference, 0.5);
  const auto json = results_json(compare(plan_, {"all.roc_auc"}));
  EXPECT_EQ(json["comparisons"][2]["baseline"], "");
  EXPECT_EQ(json["comparisons"][3]["baseline"], "a,lr=1");
}

TEST_F(ComparisonTest, a_measure_that_no_finished_cell_has_is_named) {
  for (std::size_t cell = 0; cell < 4; ++cell) {
    EXPECT_THAT(unknown_measures(compare(plan_, {"all.roc_auk"})), testing::IsEmpty());
    finish(cell, 0.5, 1, 1);
  }

  EXPECT_THAT(unknown_measures(compare(plan_, {"all.roc_auk", "all.roc_auc"})), testing::ElementsAre("all.roc_auk"));
}

// One damaged file must not hide what the other cells found.
TEST_F(ComparisonTest, a_cell_with_a_damaged_file_has_failed) {
  finish(0, 0.5, 1, 1);
  finish(1, 0.5, 1, 1);
  std::ofstream(folder(1) / "result.json") << "[]";

  const Results results = compare(plan_, {"all.roc_auc"});

  EXPECT_EQ(results.states[0].stage, Stage::finished);
  EXPECT_EQ(results.states[1].stage, Stage::failed);
  EXPECT_THAT(results.states[1].note, HasSubstr("result.json"));
  EXPECT_EQ(results.comparisons[0].seeds, 1);
}

TEST_F(ComparisonTest, a_cell_with_a_result_is_finished_whatever_else_is_gone) {
  finish(0, 0.5, 1, 1);
  fs::remove(folder(0) / "cell.json");

  const Results results = compare(plan_, {"all.roc_auc"});

  EXPECT_EQ(results.states[0].stage, Stage::finished);
  EXPECT_EQ(results.comparisons[0].seeds, 1);
}

}  // namespace
}  // namespace coterie::sweep
