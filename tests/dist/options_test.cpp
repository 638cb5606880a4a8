// Every field of the sections is described.
#include "dist/options.h"

#include <gtest/gtest.h>

#include "tests/harness/described.h"

namespace coterie::dist {
namespace {

TEST(Options, describe_every_field) {
  EXPECT_EQ(test::undescribed<DistOptions>(), "");
  EXPECT_EQ(test::undescribed<ParallelOptions>(), "");
}

}  // namespace
}  // namespace coterie::dist
