// Every field of the section is described.
#include "experts/options.h"

#include <gtest/gtest.h>

#include "tests/harness/described.h"

namespace coterie::experts {
namespace {

TEST(Options, describe_every_field) { EXPECT_EQ(test::undescribed<ExpertsOptions>(), ""); }

}  // namespace
}  // namespace coterie::experts
