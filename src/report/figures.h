// Figures that are no curves: values with their spread by name, and a grid of shades.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace coterie::report {

/// One line of an interval figure.
struct Interval {
  std::string name;
  std::vector<double> values;  ///< one dot each
  double mean = 0.0;
  double deviation = 0.0;  ///< drawn on both sides of the mean; 0: not
};

/// Values by name, one below the other, with their means and deviations; nothing if there is no row.
/// @param reference  where a vertical line is drawn
[[nodiscard]] std::string interval_figure(const std::string& title, const std::string& label,
                                          const std::vector<Interval>& rows, std::optional<double> reference);

/// A grid of shares from 0 to 1, darker for more, each with its number; nothing if there is no row.
struct Shares {
  std::string title;
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  std::vector<std::vector<double>> values;  ///< [rows][columns]
};
[[nodiscard]] std::string shares_figure(const Shares& shares);

}  // namespace coterie::report
