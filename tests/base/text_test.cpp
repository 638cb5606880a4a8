// Lines, blanks and encodings of text.
#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "tests/harness/messages.h"
#include "tests/harness/temporary_folder.h"

namespace coterie {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> lines_of(std::string_view text) {
  LineReader reader(text);
  std::vector<std::string> lines;
  while (const auto line = reader.next()) lines.emplace_back(*line);
  EXPECT_EQ(reader.number(), static_cast<std::int64_t>(lines.size()));
  return lines;
}

TEST(LineReader, knows_every_line_end_and_skips_a_byte_order_mark) {
  EXPECT_THAT(lines_of("\xEF\xBB\xBF"
                       "a\nb\r\n\rc"),
              ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(lines_of("a\n"), ElementsAre("a"));
  EXPECT_THAT(lines_of(""), ElementsAre());
}

TEST(Trimmed, takes_unicode_blanks_from_both_ends_only) {
  EXPECT_EQ(trimmed(" \t\u00A0\u2009a\u2009b\u3000\x1F\r\n"), "a\u2009b");
  EXPECT_EQ(trimmed("\u2003 "), "");
  // The last bytes of these letters are those of blanks.
  EXPECT_EQ(trimmed("\u0120\u00E0"), "\u0120\u00E0");
  EXPECT_EQ(trimmed("\x19"), "\x19");
}

TEST(ReadUtf8, names_line_and_column_of_the_first_bad_byte) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "t";
  // A stray lead byte, a surrogate, an overlong slash, a code point beyond the last, a sequence cut short.
  for (const std::string_view bad : {"\xC3x", "\xED\xA0\x80", "\xC0\xAF", "\xF4\x90\x80\x80", "\xE2\x82"}) {
    std::ofstream(file) << "ok\r\n\xC3\xA9" << bad;
    EXPECT_THAT(test::message_of<DataError>([&] { (void)read_utf8(file); }), HasSubstr("t:2:3)"));
  }
}

}  // namespace
}  // namespace coterie
