// The style of a page, its escaping, tables and sections.
#include "report/html.h"

#include <algorithm>

#include "base/excerpt.h"
#include "base/str.h"

namespace coterie::report {
namespace {

// Eight colours that keep their contrast on their background, and as many dashes: of up to eight lines no colour need
// be told apart, and of up to 64 no two have both in common.
constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1b1b; --faint: #5c5c5c; --rule: #d8d8d8; --shade: #f4f4f2;
  --s0: #005f9e; --s1: #b84300; --s2: #00705a; --s3: #8a2f7b;
  --s4: #7a5c00; --s5: #3d5a80; --s6: #9b1c31; --s7: #4a4a4a; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181c; --ink: #e8e8e6; --faint: #a6a6a2; --rule: #3a3d44; --shade: #20232a;
    --s0: #6cb8f0; --s1: #ff9b5e; --s2: #4fd0ae; --s3: #e08ad0;
    --s4: #e0c050; --s5: #a9c0e0; --s6: #ff8595; --s7: #c8c8c8; } }
body { margin: 0 auto; padding: 1.5rem; max-width: 70rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid var(--rule); }
nav a { margin-right: 1rem; } a { color: var(--s0); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; color: var(--faint); padding: .3rem 0; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--rule); text-align: left; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td { vertical-align: top; } td.text { white-space: normal; min-width: 20rem; }
thead th { background: var(--shade); }
figure { margin: 1rem 0; display: inline-block; vertical-align: top; width: 34rem; max-width: 100%; }
figure svg { width: 100%; height: auto; display: block; }
figcaption { font-weight: 600; } ul.legend { list-style: none; margin: 0; padding: 0; font-size: .85rem; }
ul.legend li { display: inline-block; margin-right: 1rem; }
ul.legend svg { width: 2rem; height: .6rem; display: inline; }
pre { background: var(--shade); padding: .8rem; overflow-x: auto; font-size: .8rem; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg .tick { fill: var(--faint); font-size: 11px; }
svg .axis { stroke: var(--faint); stroke-width: 1; fill: none; } svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .line { fill: none; stroke-width: 1.8; } svg .mark { stroke: var(--paper); stroke-width: 1; }
svg .note { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 2 3; } svg .cell { stroke: var(--paper); }
svg .dots { fill-opacity: .75; }
)";

constexpr std::string_view kDashes[] = {"none", "7 3", "2 2", "9 3 2 3", "4 4", "12 3", "1 3", "6 2 2 2 2 2"};

std::string series_style() {
  std::string css;
  for (int i = 0; i < 8; ++i)
    css += str(".s", i, ".line { stroke: var(--s", i, "); } .s", i, ".fill { fill: var(--s", i, "); } .d", i,
               " { stroke-dasharray: ", kDashes[i], "; }\n");
  return css;
}

/// `Speed and cost` as the name of a place in the page.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const char c : heading) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    const bool upper = c >= 'A' && c <= 'Z';
    anchor += plain ? c : upper ? static_cast<char>(c - 'A' + 'a') : '-';
  }
  return anchor;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  return out;
}

std::string paragraph(std::string_view text) { return str("<p>", escaped(text), "</p>\n"); }

std::string html_table(const Table& table, std::string_view caption) {
  const std::vector<bool> right = table.right_aligned();
  const auto cell = [&](const char* name, std::size_t column, const std::string& text) {
    constexpr std::size_t kLine = 60;
    const char* const kind = right[column] ? " class=\"number\"" : text.size() > kLine ? " class=\"text\"" : "";
    return str("<", name, kind, ">", escaped(text), "</", name, ">");
  };
  std::string out = str("<div class=\"scroll\"><table><caption>", escaped(caption), "</caption>\n<thead><tr>");
  for (std::size_t i = 0; i < table.header().size(); ++i) out += cell("th", i, table.header()[i]);
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.cells()) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) out += cell("td", i, row[i]);
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string folded_text(std::string_view summary, std::string_view text) {
  std::string lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines += escaped(text.substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  return str("<details><summary>", escaped(summary), "</summary>\n<pre>", lines, "</pre></details>\n");
}

void Page::add(std::string heading, std::string body) {
  if (!body.empty()) sections_.push_back({std::move(heading), std::move(body)});
}

std::string Page::html() const {
  std::string out = str(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src ",
      "data:\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
      "<link rel=\"icon\" href=\"data:,\">\n<title>", escaped(title_), "</title>\n<style>", kStyle, series_style(),
      "</style>\n</head>\n<body>\n<header><h1>", escaped(title_), "</h1>\n<nav>");
  for (const Section& section : sections_)
    out += str("<a href=\"#", anchor_of(section.heading), "\">", escaped(section.heading), "</a>\n");
  out += "</nav></header>\n<main>\n";
  for (const Section& section : sections_)
    out += str("<section id=\"", anchor_of(section.heading), "\">\n<h2>", escaped(section.heading), "</h2>\n",
               section.body, "</section>\n");
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace coterie::report
