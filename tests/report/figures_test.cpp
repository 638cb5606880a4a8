// Figures of intervals and of shares: what they draw, what they say in words, and that they can be read.
#include "report/figures.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>

#include "report/html.h"
#include "tests/report/page_checks.h"

namespace coterie::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Red, green and blue, each from 0 to 1.
using Colour = std::array<double, 3>;

/// What a variable of a page's style is in light and in dark.
std::vector<Colour> colours_of(const std::string& variable) {
  const std::string html = Page("p").html();
  const std::regex definition("--" + variable + ": #([0-9a-f]{6});");
  std::vector<Colour> colours;
  for (auto it = std::sregex_iterator(html.begin(), html.end(), definition); it != std::sregex_iterator(); ++it) {
    const int rgb = std::stoi((*it)[1], nullptr, 16);
    colours.push_back({(rgb >> 16) / 255.0, ((rgb >> 8) & 255) / 255.0, (rgb & 255) / 255.0});
  }
  return colours;
}

/// Source: WCAG 2.2, relative luminance.
double luminance(const Colour& colour) {
  const auto linear = [](double part) {
    return part <= 0.04045 ? part / 12.92 : std::pow((part + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2]);
}

/// Source: WCAG 2.2, contrast ratio.
double contrast(const Colour& a, const Colour& b) {
  const auto [darker, lighter] = std::minmax({luminance(a), luminance(b)});
  return (lighter + 0.05) / (darker + 0.05);
}

Colour over(const Colour& below, const Colour& above, double opacity) {
  Colour out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = below[i] * (1.0 - opacity) + above[i] * opacity;
  return out;
}

std::string figure_of_share(double share) { return shares_figure({"Load", {"layer 0"}, {"0"}, {{share}}}); }

double opacity_of_share(double share) {
  const std::string html = figure_of_share(share);
  std::smatch found;
  return std::regex_search(html, found, std::regex("fill-opacity=\"([0-9.]+)\"")) ? std::stod(found[1]) : -1.0;
}

TEST(Shortened, names_lose_their_middle) {
  EXPECT_THAT(shortened({"domain-no-tokens,experts.layers=middle", "domain-no-tokens,experts.layers=all", "dense"}, 34),
              ElementsAre("domain-no-tokens...s.layers=middle", "domain-no-tokens...erts.layers=all", "dense"));
}

TEST(Shortened, names_are_cut_between_characters) {
  const std::string name = "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4";

  EXPECT_THAT(shortened({name}, 8), ElementsAre("\u00e4...\u00e4"));
  EXPECT_THAT(shortened({name}, 6), ElementsAre("\u00e4..."));
}

TEST(Shortened, names_that_would_look_the_same_are_kept_whole) {
  EXPECT_THAT(shortened({"begin-one-end", "begin-two-end", "other-name-end"}, 12),
              ElementsAre("begin-one-end", "begin-two-end", "other...-end"));
}

TEST(IntervalFigure, has_a_dot_for_each_value) {
  const std::string html =
      interval_figure("AP", "average precision", {{"a", {0.5, 0.7}, 0.6, 0.1}, {"b", {}, 0.4, {}}}, 0.6);

  EXPECT_EQ(nesting_problem(html), "");
  EXPECT_EQ(count(html, "<circle"), 2);
  EXPECT_THAT(html, HasSubstr("a: mean 0.6, deviation 0.1, 2 values."));
  EXPECT_EQ(interval_figure("AP", "x", {}, {}), "");
  EXPECT_EQ(count(interval_figure("AP", "x", {{"same", {1.0}, 1.0, {}}}, {}), "nan"), 0);
}

TEST(IntervalFigure, has_a_deviation_only_where_there_is_one) {
  const std::string html = interval_figure("Cost", "seconds", {{"a", {176.0, 178.0, 177.0693}, 177.0231, {}}}, {});

  EXPECT_THAT(html, HasSubstr("<desc>seconds. a: mean 177, 3 values.</desc>"));
  EXPECT_EQ(count(html, "class=\"axis\""), 0);
}

TEST(IntervalFigure, says_of_a_reference_its_value_alone) {
  EXPECT_THAT(interval_figure("AP", "x", {{"untouched", {}, 0.78341, {}}}, {}),
              HasSubstr("<desc>x. untouched: 0.7834.</desc>"));
}

// Beside 0.7 and 0.8 a width more on both sides is drawn, and a margin.
TEST(IntervalFigure, writes_a_reference_far_from_the_others_at_the_edge) {
  const auto figure_with = [](double reference) {
    return interval_figure("AP", "x", {{"a", {0.7, 0.8}, 0.75, {}}, {"r", {}, reference, {}}}, {});
  };
  EXPECT_EQ(count(figure_with(0.65), "class=\"s1 line\""), 2);
  for (const double reference : {0.2, 1.5}) {
    const std::string html = figure_with(reference);
    EXPECT_EQ(count(html, "class=\"s1 line\""), 1) << reference;
    EXPECT_THAT(html, HasSubstr(reference < 0.5 ? "\u2190 0.2" : "1.5 \u2192"));
    EXPECT_THAT(html, HasSubstr(reference < 0.5 ? "r: 0.2" : "r: 1.5"));
  }
  // With nothing to be told apart, all is drawn.
  EXPECT_EQ(count(interval_figure("AP", "x", {{"a", {0.7}, 0.7, {}}, {"r", {}, 0.2, {}}}, {}), "class=\"s1 line\""), 2);
}

// What is composed of several cells has no cell of its own.
TEST(IntervalFigure, says_mean_and_deviation_of_what_has_no_values_of_its_own) {
  EXPECT_THAT(interval_figure("AP", "x", {{"composed", {}, 0.5, 0.25}}, {}),
              HasSubstr("<desc>x. composed: mean 0.5, deviation 0.25.</desc>"));
}

TEST(SharesFigure, has_a_shade_and_a_number_for_each_share) {
  const std::string html = shares_figure({"Load", {"layer 0"}, {"0", "1"}, {{0.25, 0.75}}});

  EXPECT_EQ(nesting_problem(html), "");
  EXPECT_EQ(count(html, "<rect"), 2);
  EXPECT_THAT(html, HasSubstr("fill-opacity=\"0.375\""));
  EXPECT_THAT(html, HasSubstr("layer 0: 0 0.25; 1 0.75;"));
  EXPECT_EQ(shares_figure({"Load", {}, {}, {}}), "");
}

// 4.5 is what WCAG 2.2 asks of text of this size (criterion 1.4.3).
TEST(SharesFigure, has_ink_of_enough_contrast_on_each_shade_in_light_and_dark) {
  const auto paper = colours_of("paper");
  const auto ink = colours_of("ink");
  const auto shade = colours_of("s0");
  ASSERT_EQ(paper.size(), 2U);
  ASSERT_EQ(ink.size(), 2U);
  ASSERT_EQ(shade.size(), 2U);

  for (int percent = 0; percent <= 100; ++percent) {
    const double opacity = opacity_of_share(percent / 100.0);
    ASSERT_GE(opacity, 0.0);
    for (std::size_t palette = 0; palette < 2; ++palette)
      EXPECT_GE(contrast(ink[palette], over(paper[palette], shade[palette], opacity)), 4.5)
          << percent << " % in palette " << palette;
  }
}

TEST(SharesFigure, writes_each_number_in_ink) {
  EXPECT_THAT(Page("p").html(), HasSubstr("svg text { fill: var(--ink);"));
  for (const double share : {0.0, 0.5, 0.61, 1.0}) EXPECT_EQ(count(figure_of_share(share), "style="), 0) << share;
}

TEST(SharesFigure, shortens_names_beside_it_but_not_in_its_words) {
  const std::string name = "a domain w\u00e9ll n\u00e4m\u00e9d";

  const std::string html = shares_figure({"Load", {name}, {"0"}, {{1.0}}});

  EXPECT_THAT(html, HasSubstr(">a domain... n\u00e4m\u00e9d<"));
  EXPECT_THAT(html, HasSubstr(name + ": 0 1.00;"));
}

// Names end at 122 of the width: that much is theirs.
TEST(SharesFigure, squeezes_names_that_are_kept_whole_into_their_place) {
  const std::string html =
      shares_figure({"Load", {"beginning-one-to-the-ending", "beginning-two-to-the-ending"}, {"0"}, {{1.0}, {1.0}}});

  EXPECT_EQ(nesting_problem(html), "");
  EXPECT_EQ(count(html, " textLength=\"122\" lengthAdjust=\"spacingAndGlyphs\">beginning-"), 2);
}

}  // namespace
}  // namespace coterie::report
