// The table: means, spreads and tests over seeds, beside the baseline.
#include "sweep/comparison.h"

#include "tests/sweep/sweep_fixture.h"

namespace coterie::sweep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ComparisonTest : public SweepTest {
 protected:
  /// Finishes a cell with a value and a cost.
  void finish(std::size_t cell, double value, double seconds, double peak_mib) {
    const auto ops = test::unsynced_file_ops();
    fs::create_directories(folder(cell));
    write_plan(*ops, folder(cell), plan_.cells[cell]);
    Attempts attempts(ops, folder(cell));
    attempts.started("train");
    attempts.ended("train", {.seconds = seconds, .core_seconds = 2 * seconds, .peak_mib = peak_mib});
    std::ofstream(folder(cell) / "eval.json") << nlohmann::json{{"trained", {{"all", {{"roc_auc", value}}}}}};
    write_result(*ops, folder(cell));
  }
  [[nodiscard]] std::vector<Comparison> rows() const { return compare(plan_, "a", {"all.roc_auc"}).comparisons; }
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

  EXPECT_FALSE(compare(plan_, "a", {"cisi.roc_auc"}).comparisons[0].mean.has_value());
}

TEST_F(ComparisonTest, the_files_hold_the_table_the_cells_and_how_to_read_them) {
  finish(0, 0.5, 1.25, 10);

  write_tables(*test::unsynced_file_ops(), plan_, "a", {"all.roc_auc"});

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
  write_tables(*test::unsynced_file_ops(), plan_, "a", {"all.roc_auc"});
  const std::string whole = read_file(plan_.folder / "table.json");
  fs::resize_file(plan_.folder / "table.json", whole.size() / 2);

  write_tables(*test::unsynced_file_ops(), plan_, "a", {"all.roc_auc"});

  EXPECT_EQ(read_file(plan_.folder / "table.json"), whole);
}

TEST(Baseline, is_the_named_one_or_the_first) {
  const std::vector<Cell> cells = expand({.grid = {"a=1,2", "seed=0,1"}}, {});

  EXPECT_EQ(baseline_of({}, cells), "a=1");
  EXPECT_EQ(baseline_of({.baseline = "a=2"}, cells), "a=2");
  try {
    (void)baseline_of({.baseline = "a=3"}, cells);
    FAIL() << "not refused";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("must be one of a=1 | a=2, got 'a=3'"));
  }
}

}  // namespace
}  // namespace coterie::sweep
