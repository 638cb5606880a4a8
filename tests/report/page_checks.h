// What every page must keep: well-formed, alone in the world, and readable without its pictures.
#pragma once

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/harness/count.h"

namespace coterie::report {

using test::count;

/// What is wrong with the nesting of elements, or nothing: every element is closed in its turn, and every attribute has
/// quotes.
inline std::string nesting_problem(const std::string& html) {
  static const std::set<std::string> kEmpty = {"meta", "link", "!DOCTYPE"};
  std::vector<std::string> open;
  for (std::size_t at = 0; (at = html.find('<', at)) != std::string::npos;) {
    const std::size_t end = html.find('>', at);
    if (end == std::string::npos) return "a tag without its end";
    const std::string tag = html.substr(at + 1, end - at - 1);
    at = end + 1;
    const bool closing = tag.starts_with("/");
    const std::string name = tag.substr(closing ? 1 : 0, tag.find_first_of(" \n/", 1) - (closing ? 1 : 0));
    if (closing) {
      if (open.empty() || open.back() != name)
        return "</" + name + "> closes " + (open.empty() ? "nothing" : open.back());
      open.pop_back();
    } else if (!tag.ends_with("/") && !kEmpty.contains(name)) {
      open.push_back(name);
    }
    if (!std::regex_match(tag, std::regex(R"(!DOCTYPE html|/?[a-z0-9A-Z]+( [a-zA-Z0-9-]+="[^"<>]*")*/?)")))
      return "a tag that is not plain: <" + tag + ">";
  }
  return open.empty() ? "" : "not closed: " + open.back();
}

/// Expects what holds for every page.
inline void expect_self_contained(const std::string& html) {
  EXPECT_EQ(nesting_problem(html), "");
  EXPECT_EQ(count(html, "http://") + count(html, "https://"), 0);
  EXPECT_EQ(count(html, "src="), 0);
  EXPECT_EQ(count(html, "@import") + count(html, "url("), 0);
  EXPECT_EQ(count(html, "<script"), 0);
  EXPECT_EQ(count(html, "default-src 'none'"), 1);
  EXPECT_EQ(count(html, "prefers-color-scheme: dark"), 1);
  EXPECT_EQ(count(html, "<html lang=\"en\">"), 1);
  // Each picture has a name and a description.
  const int pictures = count(html, "<svg role=\"img\"");
  EXPECT_EQ(count(html, "</title><desc>"), pictures);
  EXPECT_EQ(count(html, "<desc></desc>"), 0);
  EXPECT_EQ(count(html, "<figcaption>"), pictures);
  EXPECT_EQ(count(html, "\"nan") + count(html, "nan\"") + count(html, " nan "), 0);
  // Links lead to sections of the page.
  const std::regex link("<a href=\"#([^\"]*)\"");
  for (auto it = std::sregex_iterator(html.begin(), html.end(), link); it != std::sregex_iterator(); ++it)
    EXPECT_EQ(count(html, "<section id=\"" + (*it)[1].str() + "\""), 1) << (*it)[1];
}

}  // namespace coterie::report
