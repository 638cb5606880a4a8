// Tests that need a GPU.
#pragma once

#include <ATen/Context.h>
#include <gtest/gtest.h>

namespace coterie::test {

/// Skips, visibly, where there is no GPU.
class OnGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (!at::hasCUDA()) GTEST_SKIP() << "there is no GPU";
  }
};

}  // namespace coterie::test
