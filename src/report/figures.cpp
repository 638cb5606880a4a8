#include "report/figures.h"

#include <algorithm>

#include "base/str.h"
#include "base/table.h"
#include "report/html.h"
#include "report/plot.h"

namespace coterie::report {
namespace {

constexpr double kRow = 26;

Range range_of(const std::vector<Interval>& rows, std::optional<double> reference) {
  Range range{rows[0].mean, rows[0].mean};
  const auto take = [&](double value) { range = {std::min(range.low, value), std::max(range.high, value)}; };
  if (reference) take(*reference);
  for (const Interval& row : rows) {
    take(row.mean - row.deviation);
    take(row.mean + row.deviation);
    for (const double value : row.values) take(value);
  }
  const double by = range.high > range.low ? (range.high - range.low) * 0.08 : std::max(1e-6, range.high * 0.1);
  return {range.low - by, range.high + by};
}

std::string shortened(const std::string& name, std::size_t most_bytes) {
  if (name.size() <= most_bytes) return name;
  std::size_t end = most_bytes - 3;
  // Not within a character.
  while (end > 0 && (name[end] & 0xC0) == 0x80) --end;
  return name.substr(0, end) + "...";
}

}  // namespace

std::string interval_figure(const std::string& title, const std::string& label, const std::vector<Interval>& rows,
                            std::optional<double> reference) {
  if (rows.empty()) return {};
  constexpr double kLeft = 230;
  const Range range = range_of(rows, reference);
  const double base = kRow * static_cast<double>(rows.size()) + 8;
  const auto to_x = [&](double value) {
    return decimal(kLeft + (value - range.low) / (range.high - range.low) * (kFigureWidth - kLeft - 20), 1);
  };
  std::string description = str(label, ".");
  std::string out;
  const auto ticks = ticks_of(range);
  for (std::size_t i = 0; i<ticks.size(); i += ticks.size()> 6 ? 2 : 1)
    out += str("<line class=\"grid\" x1=\"", to_x(ticks[i]), "\" x2=\"", to_x(ticks[i]), "\" y1=\"4\" y2=\"", base,
               "\"/><text class=\"tick\" text-anchor=\"middle\" x=\"", to_x(ticks[i]), "\" y=\"", base + 16, "\">",
               tick_text(ticks[i], distance_of(ticks)), "</text>\n");
  if (reference)
    out += str("<line class=\"note\" x1=\"", to_x(*reference), "\" x2=\"", to_x(*reference), "\" y1=\"4\" y2=\"", base,
               "\"/>\n");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Interval& row = rows[i];
    const double y = kRow * (static_cast<double>(i) + 0.5) + 4;
    description += str(" ", row.name, ": mean ", decimal(row.mean, 4), ", deviation ", decimal(row.deviation, 4), ", ",
                       row.values.size(), " values.");
    out += str("<text text-anchor=\"end\" x=\"", kLeft - 8, "\" y=\"", y + 4, "\">", escaped(shortened(row.name, 34)),
               "</text><line class=\"axis\" x1=\"", to_x(row.mean - row.deviation), "\" x2=\"",
               to_x(row.mean + row.deviation), "\" y1=\"", y, "\" y2=\"", y, "\"/>");
    for (const double value : row.values)
      out += str("<circle class=\"s0 fill mark\" r=\"3.5\" cx=\"", to_x(value), "\" cy=\"", y, "\"/>");
    out += str("<line class=\"s1 line\" style=\"stroke-dasharray:none\" x1=\"", to_x(row.mean), "\" x2=\"",
               to_x(row.mean), "\" y1=\"", y - 8, "\" y2=\"", y + 8, "\"/>\n");
  }
  out += str("<text text-anchor=\"middle\" x=\"", (kLeft + kFigureWidth) / 2, "\" y=\"", base + 34, "\">",
             escaped(label), "</text>\n");
  return figure_opening(title, description, base + 42) + out + "</svg></figure>\n";
}

std::string shares_figure(const Shares& shares) {
  if (shares.values.empty() || shares.columns.empty()) return {};
  constexpr double kLeft = 130;
  constexpr double kTop = 24;
  const double width = (kFigureWidth - kLeft) / static_cast<double>(shares.columns.size());
  const bool roomy = width >= 34;
  std::string description = "Shares.";
  std::string out;
  for (std::size_t c = 0; roomy && c < shares.columns.size(); ++c)
    out += str("<text class=\"tick\" text-anchor=\"middle\" x=\"", kLeft + width * (static_cast<double>(c) + 0.5),
               "\" y=\"16\">", escaped(shares.columns[c]), "</text>");
  for (std::size_t r = 0; r < shares.values.size(); ++r) {
    const double y = kTop + kRow * static_cast<double>(r);
    out += str("\n<text text-anchor=\"end\" x=\"", kLeft - 8, "\" y=\"", y + 17, "\">",
               escaped(shortened(shares.rows[r], 19)), "</text>");
    description += str(" ", shares.rows[r], ":");
    for (std::size_t c = 0; c < shares.values[r].size(); ++c) {
      const double value = shares.values[r][c];
      const double x = kLeft + width * static_cast<double>(c);
      description += str(" ", shares.columns[c], " ", decimal(value, 2), ";");
      out += str("<rect class=\"s0 fill cell\" fill-opacity=\"", decimal(std::clamp(value, 0.0, 1.0), 3), "\" x=\"", x,
                 "\" y=\"", y, "\" width=\"", width, "\" height=\"", kRow, "\"/>");
      if (roomy)
        out += str("<text text-anchor=\"middle\"", value > 0.6 ? " style=\"fill:var(--paper)\"" : "", " x=\"",
                   x + width / 2, "\" y=\"", y + 17, "\">", decimal(value, 2), "</text>");
    }
  }
  const double height = kTop + kRow * static_cast<double>(shares.values.size()) + 4;
  return figure_opening(shares.title, description, height) + out + "</svg></figure>\n";
}

}  // namespace coterie::report
