// Figures that are no curves: values with their spread by name, and a grid of shades.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace coterie::report {

/// Labels of at most so many bytes, at least 3: longer names lose their middle, as in `domain...middle`. No character
/// is cut in two, and names that would look the same are kept whole.
[[nodiscard]] std::vector<std::string> shortened(const std::vector<std::string>& names, std::size_t most_bytes);

/// One line of an interval figure.
struct Interval {
  std::string name;
  std::vector<double> values;  ///< one dot each
  double mean = 0.0;
  std::optional<double> deviation = std::nullopt;  ///< drawn on both sides of the mean
};

/// Values by name, one below the other, with their means and, where there are some, deviations; nothing if there is no
/// row. A row of a mean alone that lies far from the others is written at the edge, so that these can be told apart.
/// @param reference  where a vertical line is drawn
[[nodiscard]] std::string interval_figure(const std::string& title, const std::string& label,
                                          const std::vector<Interval>& rows, std::optional<double> reference);

/// A grid of shares from 0 to 1, shaded more for more, each with its number; nothing if there is no row.
struct Shares {
  std::string title;
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  std::vector<std::vector<double>> values;  ///< [rows][columns]
};
[[nodiscard]] std::string shares_figure(const Shares& shares);

}  // namespace coterie::report
