#include "config/spelling.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

#include "base/str.h"

namespace coterie::config {
namespace {

constexpr std::size_t kExcerptBytes = 160;

std::string hex_byte(unsigned char byte, std::string_view prefix) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  return std::string(prefix) + kDigits[byte >> 4] + kDigits[byte & 15];
}

/// Bytes of the well-formed UTF-8 character at the start of `text`, 0 if there is none.
/// Overlong forms, surrogates and anything above U+10FFFF are not well-formed.
std::size_t character_bytes(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((at(i) & 0xC0) != 0x80) return 0;
  const unsigned char second = at(1);
  if (first == 0xE0 && second < 0xA0) return 0;
  if (first == 0xED && second > 0x9F) return 0;
  if (first == 0xF0 && second < 0x90) return 0;
  if (first == 0xF4 && second > 0x8F) return 0;
  return size;
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
      return is_control(c) ? hex_byte(static_cast<unsigned char>(c), "\\u00") : std::string(1, c);
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

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t size = character_bytes(text);
    if (size == 0 || is_control(text[0]))
      out += hex_byte(static_cast<unsigned char>(text[0]), "\\x");
    else
      out += text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

std::string excerpt(std::string_view text) {
  if (text.size() <= kExcerptBytes) return printable(text);
  std::size_t size = 0;
  while (size < kExcerptBytes) size += std::max<std::size_t>(character_bytes(text.substr(size)), 1);
  return printable(text.substr(0, size)) + "...";
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = character_bytes(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string join(std::span<const std::string_view> names) {
  std::string out;
  for (const std::string_view name : names) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
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
