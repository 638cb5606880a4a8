// Every field of the section is described.
#include "experts/options.h"

#include <gtest/gtest.h>

#include "experts/head_options.h"
#include "tests/harness/described.h"

namespace coterie::experts {
namespace {

TEST(Options, describe_every_field) {
  EXPECT_EQ(test::undescribed<ExpertsOptions>(), "");
  EXPECT_EQ(test::undescribed<HeadOptions>(), "");
}

}  // namespace
}  // namespace coterie::experts
