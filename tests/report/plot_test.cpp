// Plots: their ticks, what they draw, and what they say in words.
#include "report/plot.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <map>
#include <regex>
#include <set>

#include "tests/report/page_checks.h"

namespace coterie::report {
namespace {

using testing::_;
using testing::DoubleEq;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

Plot plot_of(std::vector<Point> points) {
  return {.title = "T",
          .x_label = "step",
          .y_label = "loss",
          .series = {{.name = "s", .points = std::move(points)}},
          .notes = {},
          .x_range = {},
          .y_range = {}};
}

/// As many lines alike but for their looks.
Plot plot_of_lines(std::size_t count) {
  Plot plot = plot_of({});
  plot.series = std::vector<Series>(count, {.name = "s", .points = {{0, 0}, {1, 1}}});
  return plot;
}

/// How often each class of colour and dash is used.
std::map<std::string, int> looks_in(const std::string& html) {
  const std::regex line("class=\"(s[0-7] d[0-7]) line\"");
  std::map<std::string, int> looks;
  for (auto it = std::sregex_iterator(html.begin(), html.end(), line); it != std::sregex_iterator(); ++it)
    ++looks[(*it)[1]];
  return looks;
}

TEST(Ticks, are_round_and_within_the_range) {
  EXPECT_THAT(ticks_of({0.0, 1.0}),
              ElementsAre(0.0, DoubleEq(0.2), DoubleEq(0.4), DoubleEq(0.6000000000000001), DoubleEq(0.8), 1.0));
  EXPECT_THAT(ticks_of({-3.0, 9.0}), ElementsAre(-2.0, 0.0, 2.0, 4.0, 6.0, 8.0));
  for (const double span : {1e-7, 0.03, 7.0, 12345.0, 9e8}) {
    const auto ticks = ticks_of({1.0, 1.0 + span});
    EXPECT_GE(ticks.size(), 3U) << span;
    EXPECT_LE(ticks.size(), 9U) << span;
    EXPECT_LE(ticks.back(), 1.0 + span * 1.0000001) << span;
  }
}

TEST(TickText, has_the_places_that_its_distance_needs) {
  EXPECT_EQ(tick_text(0.6000000000000001, 0.2), "0.6");
  EXPECT_EQ(tick_text(40, 20), "40");
  EXPECT_EQ(tick_text(0.0, 1e-5), "0");
  EXPECT_EQ(tick_text(0.125, 0.005), "0.125");
  EXPECT_EQ(tick_text(2e7, 1e7), "2e+07");
  EXPECT_EQ(tick_text(2e-5, 5e-6), "2e-05");
  EXPECT_EQ(tick_text(0.0, 0.5), "0.0");
}

TEST(Significant, numbers_have_four_digits_and_all_before_the_point) {
  EXPECT_EQ(significant(0.78341), "0.7834");
  EXPECT_EQ(significant(177.0231), "177");
  EXPECT_EQ(significant(12345.6), "12346");
  EXPECT_EQ(significant(-2.5), "-2.5");
  EXPECT_EQ(significant(0.0), "0");
}

TEST(Significant, numbers_that_are_tiny_or_large_have_an_exponent) {
  EXPECT_EQ(significant(5e-5), "5e-05");
  EXPECT_EQ(significant(2e7), "2e+07");
}

// The frame of a plot is 64..546 by 274..12, and values of a range without margin reach its edges.
TEST(Figure, draws_each_point_at_its_place) {
  Plot plot = plot_of({{0, 0}, {5, 1}, {10, 0.5}});
  plot.y_range = Range{0.0, 1.0};

  EXPECT_THAT(figure(plot), HasSubstr("class=\"s0 d0 line\" d=\"M64.0 274.0L305.0 12.0L546.0 143.0\""));
}

TEST(Figure, steps_go_level_to_the_next_point) {
  Plot plot = plot_of({{0, 1}, {10, 0}});
  plot.series[0].mark = Mark::steps;
  plot.y_range = Range{0.0, 1.0};

  EXPECT_THAT(figure(plot), HasSubstr("d=\"M64.0 12.0L546.0 12.0L546.0 274.0\""));
}

TEST(Figure, leaves_gaps_where_values_are_not_finite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string html = figure(plot_of({{0, 0}, {1, 1}, {2, nan}, {3, 0}, {4, 1}}));

  EXPECT_EQ(nesting_problem(html), "");
  EXPECT_EQ(count(html, "nan"), 0);
  const std::size_t path = html.find("s0 d0 line\" d=\"");
  EXPECT_EQ(count(html.substr(path, html.find("/>", path) - path), "M"), 2);
}

TEST(Figure, of_nothing_is_nothing_and_of_one_value_a_dot) {
  EXPECT_EQ(figure(plot_of({})), "");
  EXPECT_THAT(figure(plot_of({{3, 0}})), HasSubstr("<circle"));
  EXPECT_EQ(nesting_problem(figure(plot_of({{3, 0}, {3, 0}}))), "");
}

TEST(Figure, says_in_words_what_it_shows) {
  Plot plot = plot_of({{1, 2.5}, {2, 0.5}, {3, 1.0}});
  plot.notes = {{{2, 0.5}, "the best"}};

  EXPECT_EQ(description_of(plot),
            "loss over step. s: 3 points, from 2.5 at 1 to 1 at 3, least 0.5, greatest 2.5. the best.");
  EXPECT_THAT(figure(plot), HasSubstr("<title>T</title><desc>loss over step."));
}

TEST(Figure, says_small_values_too) {
  const Plot plot = plot_of({{1, 0}, {6, 5e-5}, {30, 1e-8}});

  EXPECT_EQ(description_of(plot), "loss over step. s: 3 points, from 0 at 1 to 1e-08 at 30, least 0, greatest 5e-05.");
}

// Each is in the drawing and in the legend.
TEST(Figure, gives_each_of_64_lines_a_look_of_its_own) {
  const auto looks = looks_in(figure(plot_of_lines(64)));

  EXPECT_EQ(looks.size(), 64U);
  EXPECT_THAT(looks, Each(Pair(_, 2)));
}

TEST(Figure, gives_each_of_eight_lines_a_dash_of_its_own) {
  std::set<std::string> dashes;
  for (const auto& [look, times] : looks_in(figure(plot_of_lines(8)))) dashes.insert(look.substr(look.find('d')));

  EXPECT_EQ(dashes.size(), 8U);
}

TEST(Figure, names_its_series_when_there_are_several) {
  Plot plot = plot_of({{1, 2}, {2, 3}});
  EXPECT_EQ(count(figure(plot), "class=\"legend\""), 0);
  plot.series.push_back({.name = "a<b", .points = {{1, 1}}});

  EXPECT_THAT(figure(plot), HasSubstr("a&lt;b"));
  EXPECT_EQ(nesting_problem(figure(plot)), "");
}

// With margins of 4 % and 5 % the corners of the unit square are 0.04 / 1.08 of the width and 0.05 / 1.1 of the height
// within the frame.
TEST(Figure, of_dots_has_a_shape_at_each_point) {
  Plot plot = plot_of({{0, 0}, {1, 1}});
  plot.series[0].mark = Mark::dots;
  plot.series.push_back({.name = "t", .points = {{0.5, 0.5}}, .mark = Mark::dots});

  const std::string html = figure(plot);

  EXPECT_EQ(nesting_problem(html), "");
  EXPECT_THAT(html, HasSubstr("class=\"s0 fill dots\" d=\"M81.9 262.1m"));
  EXPECT_THAT(html, HasSubstr("M528.1 23.9m"));
  EXPECT_THAT(html, HasSubstr("class=\"s1 fill dots\" d=\"M305.0 143.0m"));
  EXPECT_EQ(count(html, " line\""), 0);
  EXPECT_EQ(count(html, "<li>"), 2);
}

TEST(Figure, of_dots_says_where_they_are_and_how_far_apart) {
  Plot plot = plot_of({{1, 4}, {3, 4}, {2, 1}, {2, 7}});
  plot.series[0].mark = Mark::dots;

  EXPECT_EQ(description_of(plot), "loss over step. s: 4 dots around 2 and 4, deviations 0.7071 and 2.121.");
}

TEST(Figure, of_one_dot_says_no_deviations) {
  Plot plot = plot_of({{1, 4}});
  plot.series[0].mark = Mark::dots;

  EXPECT_EQ(description_of(plot), "loss over step. s: 1 dots around 1 and 4.");
}

// In floating point -0.3 / 3 + 0.1 / 3 + 0.2 / 3 is not 0.
TEST(Figure, of_dots_says_nothing_that_is_rounding) {
  Plot plot = plot_of({{-0.3, 0.1}, {0.1, 0.1}, {0.2, 0.1}});
  plot.series[0].mark = Mark::dots;

  EXPECT_EQ(description_of(plot), "loss over step. s: 3 dots around 0 and 0.1, deviations 0.216 and 0.");
}

}  // namespace
}  // namespace coterie::report
