// Quoting of foreign bytes in messages.
#include "base/excerpt.h"

#include <gtest/gtest.h>

namespace coterie {
namespace {

TEST(Excerpt, quotes_plain_text) {
  EXPECT_EQ(excerpt("0.5 a~"), "'0.5 a~'");
  EXPECT_EQ(excerpt(""), "''");
}

TEST(Excerpt, escapes_what_would_cut_or_break_the_line) {
  EXPECT_EQ(excerpt(std::string("a\0\n\xFF\x7F", 5)), "'a\\x00\\x0A\\xFF\\x7F'");
}

TEST(Excerpt, is_cut_after_60_bytes) {
  EXPECT_EQ(excerpt(std::string(60, 'x')), "'" + std::string(60, 'x') + "'");
  EXPECT_EQ(excerpt(std::string(61, 'x')), "'" + std::string(60, 'x') + "'...");
}

}  // namespace
}  // namespace coterie
