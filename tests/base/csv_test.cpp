// Rows of CSV files, whole and damaged.
#include "base/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "tests/harness/messages.h"
#include "tests/harness/temporary_folder.h"

namespace coterie {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class CsvTest : public testing::Test {
 protected:
  Csv read(const std::string& text) const {
    std::ofstream(path()) << text;
    return Csv(path());
  }
  [[nodiscard]] std::vector<std::vector<std::string>> cells(const std::string& text) const {
    std::vector<std::vector<std::string>> rows;
    const Csv csv = read(text);
    for (const CsvRow& row : csv.rows()) rows.push_back(row.cells);
    return rows;
  }
  [[nodiscard]] std::string refused(const std::string& text) const {
    return test::message_of<DataError>([&] { (void)read(text).column("b"); });
  }
  [[nodiscard]] std::filesystem::path path() const { return temporary_.path() / "x.csv"; }

  test::TemporaryFolder temporary_;
};

TEST_F(CsvTest, rows_are_those_below_the_header_with_their_places) {
  const Csv csv = read("a,b,c\n1,2,3\n\n4,5,\n");

  ASSERT_EQ(csv.rows().size(), 2U);
  EXPECT_THAT(csv.rows()[1].cells, ElementsAre("4", "5", ""));
  EXPECT_EQ(csv.column("c"), 2U);
  EXPECT_EQ(csv.place_of(csv.rows()[1], 1), path().string() + ":4:3");
}

TEST_F(CsvTest, quotes_may_hold_commas_quotes_and_line_ends) {
  EXPECT_THAT(cells("a,b\n\"x, \"\"y\"\"\",\"\"\nz,\"w\nv\"\n"),
              ElementsAre(ElementsAre("x, \"y\"", ""), ElementsAre("z", "w\nv")));
}

TEST_F(CsvTest, what_is_damaged_is_refused_with_its_place) {
  EXPECT_THAT(refused("a,c\n1,2\n"), AllOf(HasSubstr("column 'b' is missing"), HasSubstr("x.csv:1:1)")));
  EXPECT_THAT(refused("a,b\n1,2\n1\n"), AllOf(HasSubstr("2 cells like the header, got 1"), HasSubstr("x.csv:3:1)")));
  EXPECT_THAT(refused("a,b\n1,2,3\n"), HasSubstr("got 3"));
  EXPECT_THAT(refused("a,b\n1,\"2\n"), AllOf(HasSubstr("must end with a quote"), HasSubstr("x.csv:2:3)")));
}

}  // namespace
}  // namespace coterie
