// What the kernel says of the machine.
#include "base/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coterie {
namespace {

TEST(Machine, a_quota_is_so_many_cores_rounded_up) {
  EXPECT_EQ(cores_of_quota("200000 100000"), 2);
  EXPECT_EQ(cores_of_quota("150000 100000"), 2);
  EXPECT_EQ(cores_of_quota("1000 100000"), 1);
}

TEST(Machine, without_a_quota_there_is_no_limit) {
  for (const char* text : {"max 100000", "", "100000", "1 0", "0 1", "-1 5", "1 2 3"})
    EXPECT_EQ(cores_of_quota(text), kNoQuota) << text;
  EXPECT_GE(quota_cores(), 1);
}

TEST(Machine, has_a_processor_and_memory) { EXPECT_THAT(machine_text(), testing::MatchesRegex(".+, [0-9]+ GiB")); }

}  // namespace
}  // namespace coterie
