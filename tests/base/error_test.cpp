// The error classes, their exit codes and the check macro.
#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace coterie {
namespace {

// The numbers are a promise to launch scripts and Slurm templates.
TEST(Error, each_kind_has_its_exit_code) {
  EXPECT_EQ(static_cast<int>(ConfigError("").code()), 64);
  EXPECT_EQ(static_cast<int>(DataError("").code()), 65);
  EXPECT_EQ(static_cast<int>(ShapeError("").code()), 70);
  EXPECT_EQ(static_cast<int>(Error("").code()), 70);
  EXPECT_EQ(static_cast<int>(LockedError("").code()), 73);
  EXPECT_EQ(static_cast<int>(IoError("").code()), 74);
  EXPECT_EQ(static_cast<int>(CommError("", Exit::hang).code()), 76);
  EXPECT_EQ(static_cast<int>(NonFiniteError("").code()), 78);
  EXPECT_EQ(static_cast<int>(CommError("").code()), 79);
}

TEST(Error, codes_without_a_class_keep_their_numbers) {
  EXPECT_EQ(static_cast<int>(Exit::ok), 0);
  EXPECT_EQ(static_cast<int>(Exit::preempted), 75);
}

TEST(Error, is_caught_by_its_base_with_text_and_code) {
  try {
    throw DataError("corpus: too short, got 3 bytes (a.h5)");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "corpus: too short, got 3 bytes (a.h5)");
    EXPECT_EQ(error.code(), Exit::data);
  }
}

TEST(Error, errno_text_has_reason_and_number) { EXPECT_EQ(errno_text(ENOENT), "No such file or directory (2)"); }

TEST(Check, says_what_and_where) {
  const int line = __LINE__ + 2;
  try {
    COTERIE_CHECK(ShapeError, 1 == 2, "rows: must be ", 1, ", got ", 2);
    FAIL() << "the check let a false condition pass";
  } catch (const ShapeError& error) {
    EXPECT_EQ(error.what(), str("rows: must be 1, got 2 (error_test.cpp:", line, ")"));
  }
}

TEST(Check, evaluates_the_parts_of_its_message_only_on_failure) {
  int evaluated = 0;

  COTERIE_CHECK(ShapeError, true, ++evaluated);

  EXPECT_EQ(evaluated, 0);
}

}  // namespace
}  // namespace coterie
