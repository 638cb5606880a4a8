// Plots of curves as inline SVG, each with its text alternative.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace coterie::report {

/// A place in the units of the axes.
struct Point {
  double x = 0.0;
  double y = 0.0;  ///< not finite: the curve has a gap here
};

/// The width of every figure, in units of its drawing.
inline constexpr double kFigureWidth = 560;

/// How the points of a series are drawn.
enum class Mark {
  line,   ///< joined
  steps,  ///< level from each point to the next: a histogram by its left edges
  dots,   ///< each by itself, in a shape of the series
};

/// Points that belong together, under one name.
struct Series {
  std::string name;
  std::vector<Point> points;
  Mark mark = Mark::line;
};

/// A place of a plot that has a name, such as a threshold.
struct Note {
  Point at;
  std::string text;
};

/// The extent of an axis.
struct Range {
  double low = 0.0;
  double high = 1.0;
};

/// What a figure of curves shows.
struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<Series> series;
  std::vector<Note> notes;
  std::optional<Range> x_range;  ///< none: that of the points
  std::optional<Range> y_range;
};

/// Round numbers that divide a range into three to eight parts, within it.
[[nodiscard]] std::vector<double> ticks_of(const Range& range);

/// A number with as many places as ticks of that distance need; large and tiny ones with an exponent.
[[nodiscard]] std::string tick_text(double value, double distance);

/// A number as words say it: four significant digits and all that stand before the point; large and tiny ones with an
/// exponent.
[[nodiscard]] std::string significant(double value);

/// From each tick to the next; 1 if there is no next one.
[[nodiscard]] double distance_of(const std::vector<double>& ticks);

/// How a figure begins: its caption, and a drawing of `kFigureWidth` by `height` with its text alternative.
[[nodiscard]] std::string figure_opening(const std::string& title, const std::string& description, double height);

/// What the plot shows, in words: for each series its number of points, first, last, least and greatest value; of dots
/// their number, middle and, of several, deviations.
[[nodiscard]] std::string description_of(const Plot& plot);

/// A figure with caption, drawing and legend; nothing if no series has a finite point.
[[nodiscard]] std::string figure(const Plot& plot);

}  // namespace coterie::report
