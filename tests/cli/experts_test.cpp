// What a run with experts says: the table at its end, and numbers of experts that do not fit its ranks.
#include <sstream>

#include "tests/cli/workspace.h"

namespace coterie::test {
namespace {

using testing::HasSubstr;

class ExpertsOfARun : public Workspace {
 protected:
  void SetUp() override {
    Workspace::SetUp();
    if (!IsSkipped()) build_corpus();
  }
  // The cells of each row of the table at the end, its header first; none if there is no table.
  [[nodiscard]] static std::vector<std::vector<std::string>> table_of(const std::string& out) {
    std::vector<std::vector<std::string>> rows;
    std::istringstream lines(out);
    for (std::string line; std::getline(lines, line);) {
      if (rows.empty() && !line.starts_with("layer ")) continue;
      if (line.starts_with("-")) continue;
      // Two blanks at least stand between columns, at most one within a name.
      std::vector<std::string> cells;
      for (std::size_t at = line.find_first_not_of(' '); at != std::string::npos;) {
        const std::size_t end = line.find("  ", at);
        cells.push_back(line.substr(at, end - at));
        at = end == std::string::npos ? end : line.find_first_not_of(' ', end);
      }
      rows.push_back(cells);
    }
    return rows;
  }
};

TEST_F(ExpertsOfARun, end_in_a_table_with_a_row_for_each_layer_and_the_head) {
  const Outcome outcome = coterie({"train", "run.toml", "head.kind=sb_moe", "head.experts=3"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("experts, over the steps since the start or the last resumption"));
  const auto rows = table_of(outcome.out);
  ASSERT_EQ(rows.size(), 4U) << outcome;
  EXPECT_EQ(rows[0], (std::vector<std::string>{"layer", "experts", "least load", "most load", "entropy", "information",
                                               "of the most", "dead a step", "confidence"}));
  for (const std::size_t row : {1U, 2U}) {
    EXPECT_EQ(rows[row][0], str(row - 1));
    EXPECT_EQ(rows[row][1], "2");
    EXPECT_EQ(rows[row][6], "1.0000") << "an expert for each domain";
    EXPECT_EQ(rows[row][7], "0.00");
    EXPECT_EQ(rows[row][8], "1.0000");
  }
  EXPECT_EQ(rows[3][0], "head");
  EXPECT_EQ(rows[3][1], "3");
}

TEST_F(ExpertsOfARun, end_in_no_table_where_there_are_none) {
  const Outcome outcome = coterie({"train", "run.toml", "experts.router=none", "experts.domain_tokens=false"});

  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_TRUE(table_of(outcome.out).empty()) << outcome;
}

TEST_F(ExpertsOfARun, that_the_expert_axis_does_not_divide_are_64_and_named_by_their_key) {
  const Outcome layers =
      mpirun(2, {"train", "run.toml", "parallel.expert=2", "experts.router=switch_sentence", "experts.count=3"});
  EXPECT_EQ(layers.code, 64) << layers;
  EXPECT_EQ(count(layers.err,
                  "expert axis (2) must divide the number of experts (3) (parallel.expert); experts.count says how "
                  "many experts there are"),
            1)
      << layers;

  const Outcome head = mpirun(2, {"train", "run.toml", "parallel.expert=2", "head.kind=sb_moe", "head.experts=3"});
  EXPECT_EQ(head.code, 64) << head;
  EXPECT_EQ(count(head.err,
                  "expert axis (2) must divide the number of experts (3) (parallel.expert); head.experts says how many "
                  "experts there are"),
            1)
      << head;
  EXPECT_FALSE(exists("runs"));
}

}  // namespace
}  // namespace coterie::test
