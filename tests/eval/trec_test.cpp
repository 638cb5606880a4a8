// Run files and judgements: what is read, in which order, what is written, and what is refused.
#include "eval/trec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "tests/harness/messages.h"
#include "tests/harness/temporary_folder.h"

namespace coterie::eval {
namespace {

using testing::HasSubstr;

class Trec : public testing::Test {
 protected:
  fs::path write(const std::string& content) {
    const fs::path path = folder_.path() / "file";
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  template <class Read>
  std::string refusal(const Read& read, const std::string& content) {
    return test::message_of<DataError>([&] { (void)read(write(content)); });
  }

  test::TemporaryFolder folder_;
};

TEST_F(Trec, a_run_is_ordered_by_score_and_ties_by_descending_id_whatever_its_ranks_say) {
  const Ranking run = read_run(write("q Q0 d10 1 0.5 x\nq Q0 d9 2 0.5 x\r\nq\tQ0 a 3 1e1 x\n\np Q0 a 1 -1 x\n"));

  ASSERT_EQ(run.queries.size(), 2U);
  const auto& found = run.queries.at("q");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].document, "a");
  EXPECT_EQ(found[1].document, "d9");
  EXPECT_EQ(found[2].document, "d10");
}

// 1 + 2^-30 is 1 in fp32.
TEST_F(Trec, scores_that_fp32_cannot_tell_apart_are_ties) {
  const Ranking run = read_run(write("q Q0 a 1 1.000000001 x\nq Q0 b 2 1 x\n"));

  EXPECT_EQ(run.queries.at("q")[0].document, "b");
}

TEST_F(Trec, a_written_run_is_read_back_as_it_was) {
  const Ranking run{{{"1", {{"b", 0.1F}, {"a", 0.1F}, {"c", -3e-20F}}}, {"2", {{"a", 16777217.0F}}}}};
  const fs::path path = folder_.path() / "out";

  write_run(*real_file_ops(), path, run, "my system");

  EXPECT_THAT(read_file(path), HasSubstr("1 Q0 b 1 0.1 my_system\n1 Q0 a 2 0.1 my_system\n"));
  const Ranking back = read_run(path);
  ASSERT_EQ(back.queries.size(), 2U);
  for (const auto& [query, found] : run.queries) {
    const auto& again = back.queries.at(query);
    ASSERT_EQ(again.size(), found.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(again[i].document, found[i].document);
      EXPECT_EQ(again[i].score, found[i].score);
    }
  }
}

TEST_F(Trec, judgements_are_read_in_both_forms_and_written_in_trec_s) {
  const fs::path path = folder_.path() / "out";

  const Qrels trec = read_qrels(write("q 0 d 2\nq 0 e -1\n"));
  const Qrels beir = read_qrels(write("query-id\tcorpus-id\tscore\nq\td\t2\nq\te\t-1\n"));
  write_qrels(*real_file_ops(), path, beir);

  EXPECT_EQ(trec.queries, beir.queries);
  EXPECT_EQ(trec.queries.at("q").at("e"), -1);
  EXPECT_EQ(read_file(path), "q 0 d 2\nq 0 e -1\n");
}

TEST_F(Trec, malformed_lines_are_named) {
  EXPECT_THAT(refusal(read_run, "q Q0 d 1 0.5\n"), HasSubstr("six words"));
  EXPECT_THAT(refusal(read_run, "q Q0 d 1 0.5 x\nq Q0 e 1 nan x\n"), HasSubstr("file:2"));
  EXPECT_THAT(refusal(read_run, "q Q0 d 1 0.5 x\nq Q0 d 2 0.4 x\n"), HasSubstr("must stand once"));
  EXPECT_THAT(refusal(read_qrels, "q 0 d\n"), HasSubstr("four words"));
  EXPECT_THAT(refusal(read_qrels, "q 0 d 1.5\n"), HasSubstr("must be an integer"));
  EXPECT_THAT(refusal(read_qrels, "q 0 d 1\nq 0 d 2\n"), HasSubstr("one grade"));
  EXPECT_THAT(refusal(read_qrels, "a\tb\tc\nq\td\n"), HasSubstr("file:2"));
  EXPECT_THAT(refusal(read_qrels, ""), HasSubstr("at least one judgement"));
}

TEST_F(Trec, an_id_with_a_blank_in_it_is_not_written) {
  EXPECT_THROW(write_run(*real_file_ops(), folder_.path() / "out", Ranking{{{"q", {{"a b", 1}}}}}, "x"), DataError);
  EXPECT_FALSE(fs::exists(folder_.path() / "out"));
}

}  // namespace
}  // namespace coterie::eval
