#include "config/spelling.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

#include "base/str.h"

namespace coterie::config {
namespace {

/// `\u00hh`.
std::string control_escape(char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  return {'\\', 'u', '0', '0', kDigits[static_cast<unsigned char>(c) >> 4], kDigits[c & 15]};
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

std::string toml_escape(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\t':
      return "\\t";
    case '\r':
      return "\\r";
    default:
      return is_control(c) ? control_escape(c) : std::string(1, c);
  }
}

template <class Number, class Text>
std::string range_of(const Bounds<Number>& bounds, bool has_min, bool has_max, Text text) {
  if (has_min && has_max) return str(text(bounds.min), "..", text(bounds.max));
  if (has_min) return str("at least ", text(bounds.min));
  if (has_max) return str("at most ", text(bounds.max));
  return {};
}

/// A number as people write it in a range: 1 rather than 1.0.
std::string plain_number(double value) {
  std::string text = toml_number(value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string toml_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  std::string text(buffer.data(), end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out += toml_escape(c);
  return out + '"';
}

std::string toml_list(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const std::string& item : list) out += (out.size() > 1 ? ", " : "") + toml_string(item);
  return out + "]";
}

std::string range_text(const Bounds<std::int64_t>& bounds) {
  const Bounds<std::int64_t> all;
  return range_of(bounds, bounds.min != all.min, bounds.max != all.max, [](std::int64_t v) { return v; });
}

std::string range_text(const Bounds<double>& bounds) {
  const Bounds<double> all;
  return range_of(bounds, bounds.min > all.min, bounds.max < all.max, plain_number);
}

std::string nearest_name(std::string_view unknown, std::span<const std::string> known) {
  const std::size_t limit = std::max<std::size_t>(2, unknown.size() / 3);
  std::size_t least = limit + 1;
  std::string nearest;
  for (const std::string& name : known) {
    const std::size_t apart =
        name.size() > unknown.size() ? name.size() - unknown.size() : unknown.size() - name.size();
    if (apart >= least) continue;  // the distance is at least this
    const std::size_t distance = edit_distance(unknown, name);
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  return nearest;
}

}  // namespace coterie::config
