// Lines, blanks and encodings of imported text.
#include "data/import_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "data/import_graph.h"
#include "tests/data/import_fixture.h"

namespace coterie::data {
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

TEST(DocumentText, joins_title_and_abstract_with_one_full_stop) {
  EXPECT_EQ(document_text("Title", "abstract"), "Title. abstract");
  EXPECT_EQ(document_text(" Title. ", " abstract "), "Title. abstract");
  EXPECT_EQ(document_text("Why?", "abstract"), "Why?. abstract");
  EXPECT_EQ(document_text(" ", " abstract "), "abstract");
}

TEST(ReadUtf8, names_line_and_column_of_the_first_bad_byte) {
  const SourceFolder folder;
  // A stray lead byte, a surrogate, an overlong slash, a code point beyond the last, a sequence cut short.
  for (const std::string_view bad : {"\xC3x", "\xED\xA0\x80", "\xC0\xAF", "\xF4\x90\x80\x80", "\xE2\x82"}) {
    const auto file = folder.write("t", str("ok\r\n\xC3\xA9", bad));
    EXPECT_THAT(message_of<DataError>([&] { (void)read_utf8(file); }), HasSubstr("t:2:3)"));
  }
}

TEST(CoCitations, count_the_lists_that_cite_both) {
  const auto pairs = co_citations({{"p", {3, 1, 1}}, {"q", {1, 3, 2}}, {"r", {0}}, {"s", {}}});

  EXPECT_THAT(pairs, ElementsAre(Pair{1, 2, 1}, Pair{1, 3, 2}, Pair{2, 3, 1}));
}

TEST(CoCitations, an_absurd_reference_list_is_an_error) {
  ReferenceList list{"paper 7", {}};
  for (std::uint32_t i = 0; i <= kMaxReferences; ++i) list.documents.push_back(i);

  EXPECT_THAT(message_of<DataError>([&] { (void)co_citations({list}); }), HasSubstr("paper 7 cites 5001"));
}

}  // namespace
}  // namespace coterie::data
