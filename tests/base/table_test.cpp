// Text tables.
#include "base/table.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace coterie {
namespace {

TEST(Table, numbers_are_right_aligned_and_names_left) {
  Table table({"name", "pairs", "share"});
  table.add_row({"caf\u00E9", "7", "0.5"});
  table.add_row({"x", "1234567", "-"});

  EXPECT_EQ(table.text(),
            "name    pairs  share\n"
            "----  -------  -----\n"
            "caf\u00E9        7    0.5\n"
            "x     1234567      -\n");
}

TEST(Table, says_which_columns_are_right_aligned) {
  Table table({"name", "number", "nothing"});
  table.add_row({"x", "+1.5", ""});
  table.add_row({"y", "", ""});

  EXPECT_EQ(table.right_aligned(), (std::vector<bool>{false, true, false}));
}

TEST(Table, markdown_has_the_same_cells_with_bars_escaped) {
  Table table({"a|b", "n"});
  table.add_row({"x", "10"});

  EXPECT_EQ(table.markdown(),
            "| a\\|b |   n |\n"
            "| ---- | --: |\n"
            "| x    |  10 |\n");
}

TEST(Table, csv_quotes_what_would_be_taken_apart) {
  Table table({"a,b", "n"});
  table.add_row({"say \"x\"", "10"});

  EXPECT_EQ(table.csv(), "\"a,b\",n\n\"say \"\"x\"\"\",10\n");
}

TEST(Table, a_column_of_versions_is_not_a_number) {
  Table table({"v"});
  table.add_row({"1.0-rc"});
  table.add_row({"2"});

  EXPECT_EQ(table.text(), "v\n------\n1.0-rc\n2\n");
}

TEST(Table, a_row_of_another_length_is_a_bug) {
  Table table({"a", "b"});

  EXPECT_THROW(table.add_row({"1"}), ShapeError);
  EXPECT_THROW(Table({}), ShapeError);
}

TEST(SignedDecimal, has_a_sign_in_any_case) {
  EXPECT_EQ(signed_decimal(2.5, 2), "+2.50");
  EXPECT_EQ(signed_decimal(-0.126, 2), "-0.13");
  EXPECT_EQ(signed_decimal(0.0, 1), "+0.0");
}

TEST(Decimal, has_fixed_places) { EXPECT_EQ(decimal(2.5, 2) + decimal(-0.126, 2), "2.50-0.13"); }

TEST(Probability, that_is_small_keeps_a_digit) {
  EXPECT_EQ(probability(0.0414), "0.041");
  EXPECT_EQ(probability(0.0005), "0.001");
  EXPECT_EQ(probability(0.00021), "2e-04");
  EXPECT_EQ(probability(0.0), "0.000");
}

}  // namespace
}  // namespace coterie
