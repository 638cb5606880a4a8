// Whole jobs in which one rank fails: the others must end soon, with the right code and a message that says why.
#include "job.h"

#include <gmock/gmock.h>

namespace coterie::dist {
namespace {

using testing::HasSubstr;

TEST_F(Job, ends_well_when_nobody_fails) {
  const Outcome outcome = start(2, "fine", 60);

  EXPECT_EQ(outcome.code, 0) << outcome.text;
}

TEST_F(Job, of_one_rank_needs_no_launcher) {
  const Outcome outcome = run(str(COTERIE_FAILING_JOB, " fine 60"));

  EXPECT_EQ(outcome.code, 0) << outcome.text;
}

TEST_F(Job, of_one_rank_returns_the_code_of_its_error) {
  const Outcome outcome = run(str(COTERIE_FAILING_JOB, " throw 60"));

  EXPECT_EQ(outcome.code, 65) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("caught: failing_job: thrown on purpose"));
}

TEST_F(Job, ends_with_the_code_of_a_rank_that_throws_while_the_others_wait) {
  expect_end(start(3, "throw", 60), 65, {"caught: failing_job: thrown on purpose"});
}

// The launcher sees a process die before any other rank does: it ends the job with the dead rank's own code. Exit::peer
// is for what MPI itself reports (see mpi_test.cpp).
TEST_F(Job, ends_with_the_code_of_a_rank_that_leaves_without_a_word) {
  const Outcome outcome = start(2, "exit", 60);

  expect_end(outcome, 3, {"exited with non-zero status"});
  EXPECT_THAT(outcome.text, testing::Not(HasSubstr("caught: ")));
}

TEST_F(Job, a_rank_that_does_not_answer_is_named_after_the_timeout) {
  expect_end(start(3, "sleep", 0.5), 76,
             {"all_reduce: no answer within 0.5 s from rank 2, in group 'world' (rank ",
              " of 3, collective 2 of the group, step 40)"});
}

TEST_F(Job, ranks_in_different_collectives_are_told_so_by_name) {
  const Outcome outcome = start(2, "barrier", 0.5);

  EXPECT_EQ(outcome.code, 76) << outcome.text;
  EXPECT_TRUE(testing::Matches(HasSubstr("caught: barrier: no answer"))(outcome.text) ||
              testing::Matches(HasSubstr("caught: all_reduce: no answer"))(outcome.text))
      << outcome.text;
}

TEST_F(Job, counts_on_which_two_ranks_disagree_are_an_error_in_both_directions) {
  const Outcome more = start(2, "more", 5);
  const Outcome fewer = start(2, "fewer", 5);

  EXPECT_EQ(more.code, 70) << more.text;
  EXPECT_EQ(fewer.code, 70) << fewer.text;
  EXPECT_THAT(fewer.text, HasSubstr("sent 0 bytes, but 4 were expected"));
}

}  // namespace
}  // namespace coterie::dist
