// Progress: the texts as pure functions, and when they are shown under a clock that the test moves.
#include "base/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>

namespace coterie {
namespace {

using testing::HasSubstr;

ProgressTask task_of(std::int64_t total, std::int64_t before = 0) { return {"train", "steps", total, before}; }

class ProgressTest : public testing::Test {
 protected:
  Progress make(ProgressTask task, ProgressStyle style) {
    return Progress(std::move(task), style, out_, [this] { return now_s_; });
  }
  /// What was shown since the last call.
  std::string shown() {
    std::string text = out_.str();
    out_.str("");
    return text;
  }
  int lines() {
    const std::string text = shown();
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }

  double now_s_ = 1000;
  std::ostringstream out_;
};

TEST(DurationText, is_short_for_every_length) {
  EXPECT_EQ(duration_text(0), "0 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(59.6), "1:00");
  EXPECT_EQ(duration_text(125), "2:05");
  EXPECT_EQ(duration_text(3599.6), "1:00:00");
  EXPECT_EQ(duration_text(3 * 3600 + 2 * 60 + 5), "3:02:05");
  EXPECT_EQ(duration_text(47 * 3600 + 59 * 60 + 59), "47:59:59");
  EXPECT_EQ(duration_text(51 * 3600), "2 d 03 h");
}

TEST(DurationText, says_when_it_is_unknown) {
  EXPECT_EQ(duration_text(-1), "?");
  EXPECT_EQ(duration_text(std::nan("")), "?");
  EXPECT_EQ(duration_text(std::numeric_limits<double>::infinity()), "?");
}

TEST(RemainingSeconds, follow_from_the_rate_of_this_process) {
  EXPECT_EQ(remaining_seconds(task_of(400), 100, 50), 150);
  // 300 of 400 were there before: 20 steps in 50 s, 80 to go.
  EXPECT_EQ(remaining_seconds(task_of(400, 300), 320, 50), 200);
}

TEST(RemainingSeconds, are_unknown_before_the_first_unit_and_zero_at_the_end) {
  EXPECT_LT(remaining_seconds(task_of(400, 300), 300, 50), 0);
  EXPECT_EQ(remaining_seconds(task_of(400), 400, 50), 0);
}

TEST(ProgressText, tells_count_share_rate_and_time_left) {
  EXPECT_EQ(progress_text(task_of(400), 120, 48), "train 120/400 steps  30%  2.50 steps/s  ETA 1:52");
}

TEST(ProgressText, tells_the_time_taken_at_the_end) {
  EXPECT_EQ(progress_text(task_of(400), 400, 125), "train 400/400 steps  100%  3.20 steps/s  took 2:05");
}

TEST(ProgressText, the_rate_has_about_three_digits) {
  EXPECT_THAT(progress_text(task_of(100000), 50000, 40), HasSubstr("  1250 steps/s  "));
  EXPECT_THAT(progress_text(task_of(1000), 500, 40), HasSubstr("  12.5 steps/s  "));
  EXPECT_THAT(progress_text(task_of(10), 2, 40), HasSubstr("  20.0 s each  "));
}

TEST(ProgressText, has_no_rate_before_the_first_unit) {
  EXPECT_EQ(progress_text(task_of(400, 300), 300, 0), "train 300/400 steps  75%  ? steps/s  ETA ?");
}

TEST(ProgressText, nothing_to_do_is_done) {
  EXPECT_EQ(progress_text(task_of(0), 0, 0), "train 0/0 steps  100%  ? steps/s  took 0 s");
}

TEST_F(ProgressTest, on_a_terminal_the_line_is_rewritten_in_place) {
  Progress progress = make(task_of(4), ProgressStyle::in_place);

  now_s_ += 1;
  progress.update(1, "loss 0.5");

  EXPECT_EQ(shown(), "\r\x1b[?7ltrain 1/4 steps  25%  1.00 steps/s  ETA 3 s  loss 0.5\x1b[K\x1b[?7h");
}

TEST_F(ProgressTest, on_a_terminal_it_is_redrawn_at_most_ten_times_a_second) {
  Progress progress = make(task_of(1000), ProgressStyle::in_place);
  int drawn = 0;

  for (int step = 1; step <= 128; ++step) {
    now_s_ += 1.0 / 64;
    progress.update(step);
    drawn += shown().empty() ? 0 : 1;
  }

  // Every seventh of 64 updates a second (7/64 >= 0.1 > 6/64): 1 + floor(127 / 7).
  EXPECT_EQ(drawn, 19);
}

TEST_F(ProgressTest, the_last_unit_is_always_shown) {
  for (const ProgressStyle style : {ProgressStyle::in_place, ProgressStyle::lines}) {
    Progress progress = make(task_of(2), style);
    progress.update(1);
    static_cast<void>(shown());

    progress.update(2);

    EXPECT_THAT(shown(), HasSubstr("2/2"));
  }
}

TEST_F(ProgressTest, the_terminal_line_is_ended_once) {
  {
    Progress progress = make(task_of(4), ProgressStyle::in_place);
    progress.update(1);
    static_cast<void>(shown());
  }
  EXPECT_EQ(shown(), "\n");

  { Progress untouched = make(task_of(4), ProgressStyle::in_place); }
  EXPECT_EQ(shown(), "");
}

TEST_F(ProgressTest, a_hidden_line_leaves_nothing_and_comes_back_at_once) {
  Progress progress = make(task_of(4), ProgressStyle::in_place);
  progress.update(1);
  static_cast<void>(shown());

  progress.hide();
  const std::string erased = shown();
  progress.update(2);

  EXPECT_EQ(erased, "\r\x1b[K");
  EXPECT_THAT(shown(), HasSubstr("2/4"));
}

TEST_F(ProgressTest, elsewhere_lines_are_plain_and_whole) {
  Progress progress = make(task_of(4), ProgressStyle::lines);

  now_s_ += 10;
  progress.update(1, "loss 0.5");

  EXPECT_EQ(shown(), "train 1/4 steps  25%  0.10 steps/s  ETA 30 s  loss 0.5\n");
}

TEST_F(ProgressTest, elsewhere_a_short_task_has_a_line_every_ten_seconds) {
  Progress progress = make(task_of(121), ProgressStyle::lines);

  for (int step = 1; step <= 120; ++step) {
    now_s_ += 0.5;
    progress.update(step);
  }

  EXPECT_EQ(lines(), 6);
}

TEST_F(ProgressTest, elsewhere_a_task_of_days_has_about_a_hundred_lines) {
  constexpr int kSteps = 100000;
  Progress progress = make(task_of(kSteps), ProgressStyle::lines);

  // 400 000 s at a constant rate: a line is due every 4000 s.
  for (int step = 1; step <= kSteps; ++step) {
    now_s_ += 4;
    progress.update(step);
  }

  EXPECT_EQ(lines(), 100);
}

TEST_F(ProgressTest, elsewhere_hiding_and_ending_print_nothing) {
  {
    Progress progress = make(task_of(4), ProgressStyle::lines);
    now_s_ += 10;
    progress.update(1);
    static_cast<void>(shown());
    progress.hide();
  }

  EXPECT_EQ(shown(), "");
}

TEST(MonotonicSeconds, never_go_back) {
  const double first = monotonic_seconds();

  EXPECT_GE(monotonic_seconds(), first);
}

}  // namespace
}  // namespace coterie
