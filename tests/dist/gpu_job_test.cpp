// Jobs over NCCL in which one rank fails: whoever waits for its GPU is ended by the watch.
#include <gmock/gmock.h>

#include "job.h"

namespace coterie::dist {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

class GpuJob : public Job {
 protected:
  static Outcome start(int ranks, const std::string& how, double timeout_s) {
    return Job::start(ranks, how, timeout_s, "cuda");
  }
};

TEST_F(GpuJob, ends_well_when_nobody_fails) {
  const Outcome outcome = start(2, "fine", 60);

  EXPECT_EQ(outcome.code, 0) << outcome.text;
}

TEST_F(GpuJob, ends_with_the_code_of_a_rank_that_throws_while_the_others_wait) {
  expect_end(start(3, "throw", 60), 65, {"caught: failing_job: thrown on purpose"});
}

TEST_F(GpuJob, a_collective_that_a_rank_does_not_come_to_is_named_after_the_timeout) {
  expect_end(start(3, "sleep", 0.5), 76,
             {"all_reduce: the GPU did not end it, or what was issued before it, within 0.5 s, in group 'world' (rank ",
              " of 3) (collective 3 of the group, step 40)"});
}

TEST_F(GpuJob, a_collective_hangs_no_longer_where_cuda_does_not_answer) {
  expect_end(start(2, "mute", 0.5), 76,
             {"all_reduce: CUDA did not say how it is within 0.5 s, in group 'world' (rank 0"});
}

TEST_F(GpuJob, a_failure_inside_nccl_is_named_at_once) {
  const Outcome outcome = start(2, "fault", 60);

  expect_end(outcome, 79, {});
  // The watch sees it, or the rank that is about to issue the next message of the collective.
  EXPECT_THAT(outcome.text, AnyOf(HasSubstr("all_reduce: NCCL failed: remote process exited"),
                                  HasSubstr("nccl: cannot issue all_reduce: remote process exited")));
}

}  // namespace
}  // namespace coterie::dist
