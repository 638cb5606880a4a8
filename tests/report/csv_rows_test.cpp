// Rows of CSV files, whole and damaged.
#include "report/csv_rows.h"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/harness/temporary_folder.h"
#include "tests/report/refusal.h"

namespace coterie::report {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class CsvRows : public testing::Test {
 protected:
  std::vector<std::vector<std::string>> read(const std::string& text, const std::vector<std::string_view>& columns) {
    std::ofstream(path()) << text;
    std::vector<std::vector<std::string>> rows;
    for_each_csv_row(path(), columns, [&](const CsvRow& row) {
      rows.push_back(row.cells);
      place_ = row.place;
    });
    return rows;
  }
  std::string refused(const std::string& text) {
    return refusal([&] { (void)read(text, {"a", "b"}); });
  }
  [[nodiscard]] std::filesystem::path path() const { return temporary_.path() / "x.csv"; }

  test::TemporaryFolder temporary_;
  std::string place_;
};

TEST_F(CsvRows, have_the_columns_asked_for_in_that_order) {
  EXPECT_THAT(read("a,b,c\n1,2,3\n4,5,\n", {"c", "a"}), ElementsAre(ElementsAre("3", "1"), ElementsAre("", "4")));
  EXPECT_EQ(place_, path().string() + ":3");
}

TEST_F(CsvRows, may_have_quotes_around_commas_and_quotes) {
  EXPECT_THAT(read("a,b\n\"x, \"\"y\"\"\",\"\"\nz,\"w\"\n", {"a", "b"}),
              ElementsAre(ElementsAre("x, \"y\"", ""), ElementsAre("z", "w")));
}

TEST_F(CsvRows, that_are_damaged_are_refused_with_their_line) {
  EXPECT_THAT(refused("a,c\n1,2\n"), AllOf(HasSubstr("column 'b' is missing"), HasSubstr("x.csv:1)")));
  EXPECT_THAT(refused("a,b\n1,2\n1\n"), AllOf(HasSubstr("2 cells like the header, got 1"), HasSubstr("x.csv:3)")));
  EXPECT_THAT(refused("a,b\n1,2,3\n"), HasSubstr("got 3"));
  EXPECT_THAT(refused("a,b\n1,\"2\n"), AllOf(HasSubstr("must end on its line"), HasSubstr("x.csv:2)")));
}

}  // namespace
}  // namespace coterie::report
