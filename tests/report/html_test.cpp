// The skeleton of a page.
#include "report/html.h"

#include <gmock/gmock.h>

#include <regex>
#include <set>

#include "tests/report/page_checks.h"

namespace coterie::report {
namespace {

using testing::HasSubstr;

TEST(Escaped, leaves_nothing_that_html_would_act_on) {
  EXPECT_EQ(escaped("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  EXPECT_EQ(escaped("caf\u00E9"), "caf\u00E9");
  EXPECT_EQ(escaped("a\xFF\n"), "a\\xff\\x0a");
}

TEST(HtmlTable, aligns_numbers_and_escapes_cells) {
  Table table({"cell", "mean"});
  table.add_row({"<b>", "0.5"});
  table.add_row({"c", "+1.25"});
  table.add_row({"d", "-"});

  const std::string html = html_table(table, "a & b");

  EXPECT_EQ(nesting_problem(html), "");
  EXPECT_THAT(html, HasSubstr("<caption>a &amp; b</caption>"));
  EXPECT_THAT(html, HasSubstr("<td>&lt;b&gt;</td><td class=\"number\">0.5</td>"));
  EXPECT_THAT(html, HasSubstr("<th>cell</th><th class=\"number\">mean</th>"));
}

TEST(HtmlTable, lets_long_text_have_lines) {
  Table table({"text"});
  table.add_row({std::string(61, 'x')});
  table.add_row({std::string(60, 'x')});

  EXPECT_EQ(count(html_table(table, ""), "<td class=\"text\">x"), 1);
}

TEST(FoldedText, keeps_its_lines) { EXPECT_THAT(folded_text("s", "a<\nb\n"), HasSubstr("<pre>a&lt;\nb\n</pre>")); }

TEST(PageTest, is_self_contained_and_leads_to_its_sections) {
  Page page("Run <x>");
  page.add("First part", paragraph("text"));
  page.add("Nothing", "");

  const std::string html = page.html();

  expect_self_contained(html);
  EXPECT_THAT(html, HasSubstr("<title>Run &lt;x&gt;</title>"));
  EXPECT_THAT(html, HasSubstr("<section id=\"first-part\">"));
  EXPECT_EQ(count(html, "Nothing"), 0);
}

TEST(PageTest, has_a_dash_of_its_own_for_each_of_eight_lines) {
  const std::string html = Page("p").html();
  const std::regex rule(R"(\.d[0-7] \{ stroke-dasharray: ([^;]*);)");

  std::set<std::string> dashes;
  for (auto it = std::sregex_iterator(html.begin(), html.end(), rule); it != std::sregex_iterator(); ++it)
    dashes.insert((*it)[1]);

  EXPECT_EQ(dashes.size(), 8U);
}

TEST(PageChecks, find_what_they_are_for) {
  EXPECT_NE(nesting_problem("<p><b></p></b>"), "");
  EXPECT_NE(nesting_problem("<p>"), "");
  EXPECT_NE(nesting_problem("<p class=x></p>"), "");
  EXPECT_EQ(nesting_problem("<p class=\"x\"><br/></p>"), "");
}

}  // namespace
}  // namespace coterie::report
