// Quoting of foreign bytes in messages.
#include "base/excerpt.h"

#include <gtest/gtest.h>

#include <string>

#include "base/str.h"

namespace coterie {
namespace {

TEST(Excerpt, quotes_plain_text) {
  EXPECT_EQ(excerpt("0.5 a~"), "'0.5 a~'");
  EXPECT_EQ(excerpt("caf\u00E9"), "'caf\u00E9'");
  EXPECT_EQ(excerpt(""), "''");
}

TEST(Excerpt, escapes_what_would_cut_or_break_the_line) {
  EXPECT_EQ(excerpt(std::string("a\0\n\xFF\x7F", 5)), "'a\\x00\\x0a\\xff\\x7f'");
  // U+009B begins an escape sequence on some terminals.
  EXPECT_EQ(excerpt("\u009B"), "'\\xc2\\x9b'");
  EXPECT_EQ(excerpt("\xE2\x82"), "'\\xe2\\x82'");
}

TEST(Excerpt, is_cut_after_60_bytes_between_characters) {
  const std::string x59(59, 'x');
  const std::string x60(60, 'x');
  EXPECT_EQ(excerpt(x60), str("'", x60, "'"));
  EXPECT_EQ(excerpt(str(x60, "x")), str("'", x60, "'..."));
  EXPECT_EQ(excerpt(str(x59, "\u00E9")), str("'", x59, "'..."));
  EXPECT_EQ(excerpt("abc", 2), "'ab'...");
}

}  // namespace
}  // namespace coterie
