// Rows of intervals and grids of shares, drawn and in words.
#include "report/figures.h"

#include <algorithm>

#include "base/str.h"
#include "base/table.h"
#include "report/html.h"
#include "report/plot.h"

namespace coterie::report {
namespace {

constexpr double kRow = 26;
/// Opacity of a whole share: ink on it keeps a contrast of 4.5 in light and dark.
constexpr double kShade = 0.5;

/// A reference, which nothing trains, is one number.
bool is_reference(const Interval& row) { return row.values.empty() && !row.deviation; }

/// That of all rows but references far from the others, beside which these could not be told apart.
Range range_of(const std::vector<Interval>& rows, std::optional<double> reference) {
  const bool only_references = std::all_of(rows.begin(), rows.end(), is_reference);
  std::vector<double> values;
  if (reference) values.push_back(*reference);
  for (const Interval& row : rows) {
    if (is_reference(row) && !only_references) continue;
    values.insert(values.end(), row.values.begin(), row.values.end());
    for (const double side : {-1.0, 1.0}) values.push_back(row.mean + side * row.deviation.value_or(0.0));
  }
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  Range range{*low, *high};
  const double width = range.high - range.low;
  for (const Interval& row : rows)
    if (width == 0.0 || (row.mean >= *low - width && row.mean <= *high + width))
      range = {std::min(range.low, row.mean), std::max(range.high, row.mean)};
  const double by = range.high > range.low ? (range.high - range.low) * 0.08 : std::max(1e-6, range.high * 0.1);
  return {range.low - by, range.high + by};
}

bool within_character(const std::string& text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

std::string without_middle(const std::string& name, std::size_t most_bytes) {
  if (name.size() <= most_bytes) return name;
  const std::size_t kept = most_bytes - 3;
  std::size_t head = (kept + 1) / 2;
  std::size_t tail = name.size() - kept / 2;
  while (head > 0 && within_character(name, head)) --head;
  while (within_character(name, tail)) ++tail;
  return name.substr(0, head) + "..." + name.substr(tail);
}

/// The name of a row to the left of `right`; one that was kept whole is squeezed into the place.
std::string label_svg(const std::string& label, std::size_t most_bytes, double right, double y) {
  const std::string squeezed =
      label.size() > most_bytes ? str(" textLength=\"", right, "\" lengthAdjust=\"spacingAndGlyphs\"") : std::string();
  return str("<text text-anchor=\"end\" x=\"", right, "\" y=\"", y, '"', squeezed, ">", escaped(label), "</text>");
}

std::string in_words(const Interval& row) {
  if (is_reference(row)) return str(" ", row.name, ": ", significant(row.mean), ".");
  std::string text = str(" ", row.name, ": mean ", significant(row.mean));
  if (row.deviation) text += str(", deviation ", significant(*row.deviation));
  if (!row.values.empty()) text += str(", ", row.values.size(), row.values.size() == 1 ? " value" : " values");
  return text + ".";
}

}  // namespace

std::vector<std::string> shortened(const std::vector<std::string>& names, std::size_t most_bytes) {
  std::vector<std::string> cut;
  for (const std::string& name : names) cut.push_back(without_middle(name, most_bytes));
  std::vector<std::string> labels = cut;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (std::count(cut.begin(), cut.end(), cut[i]) > 1) labels[i] = names[i];
  return labels;
}

std::string interval_figure(const std::string& title, const std::string& label, const std::vector<Interval>& rows,
                            std::optional<double> reference) {
  if (rows.empty()) return {};
  constexpr double kLeft = 230;
  constexpr std::size_t kMostBytes = 34;
  const Range range = range_of(rows, reference);
  const double base = kRow * static_cast<double>(rows.size()) + 8;
  const auto to_x = [&](double value) {
    return decimal(kLeft + (value - range.low) / (range.high - range.low) * (kFigureWidth - kLeft - 20), 1);
  };
  std::vector<std::string> names;
  for (const Interval& row : rows) names.push_back(row.name);
  const std::vector<std::string> labels = shortened(names, kMostBytes);
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
    description += in_words(row);
    out += label_svg(labels[i], kMostBytes, kLeft - 8, y + 4);
    if (row.deviation)
      out += str("<line class=\"axis\" x1=\"", to_x(row.mean - *row.deviation), "\" x2=\"",
                 to_x(row.mean + *row.deviation), "\" y1=\"", y, "\" y2=\"", y, "\"/>");
    for (const double value : row.values)
      out += str("<circle class=\"s0 fill mark\" r=\"3.5\" cx=\"", to_x(value), "\" cy=\"", y, "\"/>");
    if (row.mean < range.low)
      out +=
          str("<text class=\"tick\" x=\"", kLeft, "\" y=\"", y + 4, "\">\u2190 ", significant(row.mean), "</text>\n");
    else if (row.mean > range.high)
      out += str("<text class=\"tick\" text-anchor=\"end\" x=\"", kFigureWidth - 20, "\" y=\"", y + 4, "\">",
                 significant(row.mean), " \u2192</text>\n");
    else
      out += str("<line class=\"s1 line\" x1=\"", to_x(row.mean), "\" x2=\"", to_x(row.mean), "\" y1=\"", y - 8,
                 "\" y2=\"", y + 8, "\"/>\n");
  }
  out += str("<text text-anchor=\"middle\" x=\"", (kLeft + kFigureWidth) / 2, "\" y=\"", base + 34, "\">",
             escaped(label), "</text>\n");
  return figure_opening(title, description, base + 42) + out + "</svg></figure>\n";
}

std::string shares_figure(const Shares& shares) {
  if (shares.values.empty() || shares.columns.empty()) return {};
  constexpr double kLeft = 130;
  constexpr double kTop = 24;
  constexpr std::size_t kMostBytes = 19;
  const double width = (kFigureWidth - kLeft) / static_cast<double>(shares.columns.size());
  const bool roomy = width >= 34;
  const std::vector<std::string> labels = shortened(shares.rows, kMostBytes);
  std::string description = "Shares.";
  std::string out;
  for (std::size_t c = 0; roomy && c < shares.columns.size(); ++c)
    out += str("<text class=\"tick\" text-anchor=\"middle\" x=\"", kLeft + width * (static_cast<double>(c) + 0.5),
               "\" y=\"16\">", escaped(shares.columns[c]), "</text>");
  for (std::size_t r = 0; r < shares.values.size(); ++r) {
    const double y = kTop + kRow * static_cast<double>(r);
    out += str("\n", label_svg(labels[r], kMostBytes, kLeft - 8, y + 17));
    description += str(" ", shares.rows[r], ":");
    for (std::size_t c = 0; c < shares.values[r].size(); ++c) {
      const double value = shares.values[r][c];
      const double x = kLeft + width * static_cast<double>(c);
      description += str(" ", shares.columns[c], " ", decimal(value, 2), ";");
      out += str("<rect class=\"s0 fill cell\" fill-opacity=\"", decimal(kShade * std::clamp(value, 0.0, 1.0), 3),
                 "\" x=\"", x, "\" y=\"", y, "\" width=\"", width, "\" height=\"", kRow, "\"/>");
      if (roomy)
        out += str("<text text-anchor=\"middle\" x=\"", x + width / 2, "\" y=\"", y + 17, "\">", decimal(value, 2),
                   "</text>");
    }
  }
  const double height = kTop + kRow * static_cast<double>(shares.values.size()) + 4;
  return figure_opening(shares.title, description, height) + out + "</svg></figure>\n";
}

}  // namespace coterie::report
