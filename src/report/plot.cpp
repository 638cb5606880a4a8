// Axes, lines, dots and legends of plots, and what they say in words.
#include "report/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <string_view>

#include "base/str.h"
#include "base/table.h"
#include "report/html.h"

namespace coterie::report {
namespace {

constexpr std::size_t kColours = 8;  // and as many dashes, in the style of a page
constexpr double kHeight = 320;
constexpr double kLeft = 64;
constexpr double kRight = 14;
constexpr double kTop = 12;
constexpr double kBottom = 46;

/// A number with at most so many significant digits.
std::string with_digits(double value, int digits) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*g", digits, value);
  return text.data();
}

bool is_finite(const Point& point) { return std::isfinite(point.x) && std::isfinite(point.y); }

/// Widens a range that has no extent, and one by `share` of itself on both sides.
Range widened(Range range, double share) {
  if (range.low == range.high) {
    const double by = range.low == 0.0 ? 1.0 : std::abs(range.low) * 0.1;
    return {range.low - by, range.high + by};
  }
  const double by = (range.high - range.low) * share;
  return {range.low - by, range.high + by};
}

template <class Coordinate>
std::optional<Range> extent(const Plot& plot, const Coordinate& coordinate) {
  std::optional<Range> range;
  for (const Series& series : plot.series)
    for (const Point& point : series.points) {
      if (!is_finite(point)) continue;
      const double value = coordinate(point);
      range = range ? Range{std::min(range->low, value), std::max(range->high, value)} : Range{value, value};
    }
  return range;
}

/// From values to places in the drawing.
struct Frame {
  Range x;
  Range y;

  [[nodiscard]] double to_x(double value) const {
    return kLeft + (value - x.low) / (x.high - x.low) * (kFigureWidth - kLeft - kRight);
  }
  [[nodiscard]] double to_y(double value) const {
    return kHeight - kBottom - (value - y.low) / (y.high - y.low) * (kHeight - kTop - kBottom);
  }
  [[nodiscard]] std::string place(const Point& p) const { return decimal(to_x(p.x), 1) + " " + decimal(to_y(p.y), 1); }
};

std::string axes_svg(const Frame& frame, const Plot& plot) {
  std::string out;
  const double base = kHeight - kBottom;
  const auto x_ticks = ticks_of(frame.x);
  for (const double tick : x_ticks) {
    const std::string x = decimal(frame.to_x(tick), 1);
    out += str("<line class=\"grid\" x1=\"", x, "\" x2=\"", x, "\" y1=\"", kTop, "\" y2=\"", base,
               "\"/><text class=", "\"tick\" text-anchor=\"middle\" x=\"", x, "\" y=\"", base + 16, "\">",
               tick_text(tick, distance_of(x_ticks)), "</text>\n");
  }
  const auto y_ticks = ticks_of(frame.y);
  for (const double tick : y_ticks) {
    const std::string y = decimal(frame.to_y(tick), 1);
    out += str("<line class=\"grid\" x1=\"", kLeft, "\" x2=\"", kFigureWidth - kRight, "\" y1=\"", y, "\" y2=\"", y,
               "\"/><text class=\"tick\" text-anchor=\"end\" x=\"", kLeft - 6, "\" y=\"",
               decimal(frame.to_y(tick) + 4, 1), "\">", tick_text(tick, distance_of(y_ticks)), "</text>\n");
  }
  const double middle = (kTop + base) / 2;
  return str(out, "<path class=\"axis\" d=\"M", kLeft, " ", kTop, "V", base, "H", kFigureWidth - kRight, "\"/>\n",
             "<text text-anchor=\"middle\" x=\"", (kLeft + kFigureWidth - kRight) / 2, "\" y=\"", kHeight - 8, "\">",
             escaped(plot.x_label), "</text>\n<text text-anchor=\"middle\" transform=\"translate(14 ", middle,
             ") rotate(-90)\">", escaped(plot.y_label), "</text>\n");
}

/// Five shapes of like size around the place where a path is.
constexpr std::string_view kShapes[] = {"m-2.4 0a2.4 2.4 0 1 0 4.8 0a2.4 2.4 0 1 0-4.8 0", "m-2.1-2.1h4.2v4.2h-4.2z",
                                        "m0-3l2.8 5h-5.6z", "m0-3.1l3.1 3.1l-3.1 3.1l-3.1-3.1z",
                                        "m-.9-2.9h1.8v2h2v1.8h-2v2h-1.8v-2h-2v-1.8h2z"};

/// A series without its points, as a legend shows it.
struct Look {
  std::size_t colour;
  std::size_t dash;        ///< of a line
  std::string_view shape;  ///< of dots
};

/// Each round of the colours shifts the dashes by one: up to 64 lines look different, and up to 40 series of dots.
Look look_of(std::size_t series) {
  const std::size_t round = series / kColours;
  return {series % kColours, (series + round) % kColours, kShapes[series % std::size(kShapes)]};
}

std::string dots_svg(const Frame& frame, const Series& series, const Look& look) {
  std::string path;
  for (const Point& point : series.points)
    if (is_finite(point)) path += str('M', frame.place(point), look.shape);
  return path.empty() ? path : str("<path class=\"s", look.colour, " fill dots\" d=\"", path, "\"/>\n");
}

std::string line_svg(const Frame& frame, const Series& series, const Look& look) {
  std::string path;
  bool open = false;
  double before = 0.0;
  for (const Point& point : series.points) {
    if (!is_finite(point)) {
      open = false;
      continue;
    }
    if (open && series.mark == Mark::steps) path += str('L', frame.place({point.x, before}));
    path += str(open ? 'L' : 'M', frame.place(point));
    open = true;
    before = point.y;
  }
  const auto first = std::find_if(series.points.begin(), series.points.end(), is_finite);
  // A line of one point would not be seen.
  if (std::count_if(series.points.begin(), series.points.end(), is_finite) == 1)
    return str("<circle class=\"s", look.colour, " fill mark\" r=\"3.5\" cx=\"", decimal(frame.to_x(first->x), 1),
               "\" cy=\"", decimal(frame.to_y(first->y), 1), "\"/>\n");
  return str("<path class=\"s", look.colour, " d", look.dash, " line\" d=\"", path, "\"/>\n");
}

std::string notes_svg(const Frame& frame, const std::vector<Note>& notes) {
  std::string out;
  for (const Note& note : notes) {
    const double x = frame.to_x(note.at.x);
    const double y = frame.to_y(note.at.y);
    const bool right = x > (kLeft + kFigureWidth) / 2;
    out += str("<line class=\"note\" x1=\"", decimal(x, 1), "\" x2=\"", decimal(x, 1), "\" y1=\"", decimal(y, 1),
               "\" y2=\"", kHeight - kBottom, "\"/><circle r=\"3\" cx=\"", decimal(x, 1), "\" cy=\"", decimal(y, 1),
               "\" fill=\"currentColor\"/><text text-anchor=\"", right ? "end" : "start", "\" x=\"",
               decimal(right ? x - 7 : x + 7, 1), "\" y=\"", decimal(std::max(y + 16, kTop + 14), 1), "\">",
               escaped(note.text), "</text>\n");
  }
  return out;
}

std::string legend_html(const std::vector<Series>& series) {
  std::string out = "<ul class=\"legend\">";
  for (std::size_t i = 0; i < series.size(); ++i) {
    const Look look = look_of(i);
    const bool dots = series[i].mark == Mark::dots;
    const std::string path = dots ? str("fill\" d=\"M16 5", look.shape) : str('d', look.dash, " line\" d=\"M0 5H32");
    out += str("<li><svg viewBox=\"0 0 32 10\" aria-hidden=\"true\"><path class=\"s", look.colour, ' ', path,
               "\"/></svg> ", escaped(series[i].name), "</li>\n");
  }
  return out + "</ul>";
}

/// Mean and standard deviation of one coordinate.
struct Spread {
  double mean = 0.0;
  double deviation = 0.0;
};

Spread spread_of(const std::vector<Point>& points, double Point::*coordinate) {
  const auto count = static_cast<double>(points.size());
  Spread out;
  double greatest = 0.0;
  for (const Point& point : points) {
    out.mean += point.*coordinate / count;
    greatest = std::max(greatest, std::abs(point.*coordinate));
  }
  for (const Point& point : points) out.deviation += (point.*coordinate - out.mean) * (point.*coordinate - out.mean);
  out.deviation = std::sqrt(out.deviation / count);
  // What is so small beside the values is their rounding.
  const double rounding = greatest * 1e-9;
  if (std::abs(out.mean) < rounding) out.mean = 0.0;
  if (out.deviation < rounding) out.deviation = 0.0;
  return out;
}

std::string dots_in_words(const std::vector<Point>& points) {
  const Spread x = spread_of(points, &Point::x);
  const Spread y = spread_of(points, &Point::y);
  const std::string middle = str(points.size(), " dots around ", significant(x.mean), " and ", significant(y.mean));
  if (points.size() == 1) return middle + ".";
  return str(middle, ", deviations ", significant(x.deviation), " and ", significant(y.deviation), ".");
}

std::string curve_in_words(const std::vector<Point>& points) {
  const auto [least, most] =
      std::minmax_element(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.y < b.y; });
  return str(points.size(), " points, from ", significant(points.front().y), " at ", points.front().x, " to ",
             significant(points.back().y), " at ", points.back().x, ", least ", significant(least->y), ", greatest ",
             significant(most->y), ".");
}

}  // namespace

std::vector<double> ticks_of(const Range& range) {
  const double rough = (range.high - range.low) / 8;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double distance = power * 10;
  for (const double factor : {1.0, 2.0, 5.0})
    if (power * factor >= rough) {
      distance = power * factor;
      break;
    }
  std::vector<double> ticks;
  // Multiples, not sums: 0.1 thrice is not 0.3.
  const double slack = distance * 1e-9;
  for (double n = std::ceil((range.low - slack) / distance); n * distance <= range.high + slack; n += 1)
    ticks.push_back(n == 0.0 ? 0.0 : n * distance);
  return ticks;
}

double distance_of(const std::vector<double>& ticks) { return ticks.size() > 1 ? ticks[1] - ticks[0] : 1.0; }

std::string tick_text(double value, double distance) {
  if (std::abs(value) >= 1e6 || distance < 1e-4) return with_digits(value, 3);
  const int digits = distance >= 1 ? 0 : static_cast<int>(std::ceil(-std::log10(distance) - 1e-9));
  return decimal(value, digits);
}

std::string significant(double value) {
  const double size = std::abs(value);
  return size >= 1e3 && size < 1e6 ? decimal(value, 0) : with_digits(value, 4);
}

std::string figure_opening(const std::string& title, const std::string& description, double height) {
  return str("<figure><figcaption>", escaped(title), "</figcaption>\n<svg role=\"img\" viewBox=\"0 0 ", kFigureWidth,
             " ", height, "\"><title>", escaped(title), "</title><desc>", escaped(description), "</desc>\n");
}

std::string description_of(const Plot& plot) {
  std::string text = str(plot.y_label, " over ", plot.x_label, ".");
  for (const Series& series : plot.series) {
    std::vector<Point> points;
    std::copy_if(series.points.begin(), series.points.end(), std::back_inserter(points), is_finite);
    if (points.empty()) continue;
    text += str(" ", series.name, ": ", series.mark == Mark::dots ? dots_in_words(points) : curve_in_words(points));
  }
  for (const Note& note : plot.notes) text += str(" ", note.text, ".");
  return text;
}

std::string figure(const Plot& plot) {
  const auto x = extent(plot, [](const Point& p) { return p.x; });
  const auto y = extent(plot, [](const Point& p) { return p.y; });
  if (!x || !y) return {};
  // A curve reaches the edges, a dot would be cut there.
  const bool has_dots = std::any_of(plot.series.begin(), plot.series.end(),
                                    [](const Series& series) { return series.mark == Mark::dots; });
  const Frame frame{plot.x_range.value_or(widened(*x, has_dots ? 0.04 : 0.0)),
                    plot.y_range.value_or(widened(*y, 0.05))};
  std::string out = figure_opening(plot.title, description_of(plot), kHeight) + axes_svg(frame, plot);
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const Look look = look_of(i);
    const bool dots = plot.series[i].mark == Mark::dots;
    out += dots ? dots_svg(frame, plot.series[i], look) : line_svg(frame, plot.series[i], look);
  }
  out += notes_svg(frame, plot.notes) + "</svg>\n";
  return out + (plot.series.size() > 1 ? legend_html(plot.series) : std::string()) + "</figure>\n";
}

}  // namespace coterie::report
