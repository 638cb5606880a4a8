#include "data/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <span>

#include "base/error.h"
#include "data/unicode_tables.h"

namespace coterie::data {
namespace {

constexpr std::size_t kCodePoints = 0x110000;

/// The entry of an ascending table that holds `c`, or null.
template <class Entry>
const Entry* find_range(std::span<const Entry> table, char32_t c) {
  const auto after = std::upper_bound(table.begin(), table.end(), c,
                                      [](char32_t value, const Entry& entry) { return value < entry.first; });
  if (after == table.begin()) return nullptr;
  const auto& entry = *std::prev(after);
  return c <= entry.last ? &entry : nullptr;
}

/// Bytes that follow a lead byte, and the range of the first of them; 0 for a byte that leads nothing.
struct Lead {
  std::size_t following;
  unsigned char low;
  unsigned char high;
};

Lead lead_of(unsigned char byte) {
  if (byte >= 0xc2 && byte <= 0xdf) return {1, 0x80, 0xbf};
  if (byte == 0xe0) return {2, 0xa0, 0xbf};
  if (byte == 0xed) return {2, 0x80, 0x9f};
  if (byte >= 0xe1 && byte <= 0xef) return {2, 0x80, 0xbf};
  if (byte == 0xf0) return {3, 0x90, 0xbf};
  if (byte >= 0xf1 && byte <= 0xf3) return {3, 0x80, 0xbf};
  if (byte == 0xf4) return {3, 0x80, 0x8f};
  return {0, 0, 0};
}

}  // namespace

DecodedChar decode_char(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return {first, 1};
  const Lead lead = lead_of(first);
  if (lead.following == 0) return {kReplacementChar, 1};
  char32_t value = first & (0x3fU >> lead.following);
  for (std::size_t i = 1; i <= lead.following; ++i) {
    if (i == text.size()) return {kReplacementChar, i};
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < (i == 1 ? lead.low : 0x80) || byte > (i == 1 ? lead.high : 0xbf)) return {kReplacementChar, i};
    value = (value << 6) | (byte & 0x3fU);
  }
  return {value, lead.following + 1};
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const DecodedChar next = decode_char(text);
    // U+FFFD itself may stand in a text, and then takes these bytes.
    if (next.value == kReplacementChar && text.substr(0, 3) != "\xef\xbf\xbd") return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

void append_char(std::string& text, char32_t c) {
  const auto continuation = [c](unsigned shift) { return static_cast<char>(0x80U | ((c >> shift) & 0x3fU)); };
  if (c < 0x80) {
    text += static_cast<char>(c);
  } else if (c < 0x800) {
    text += {static_cast<char>(0xc0U | (c >> 6)), continuation(0)};
  } else if (c < 0x10000) {
    text += {static_cast<char>(0xe0U | (c >> 12)), continuation(6), continuation(0)};
  } else {
    text += {static_cast<char>(0xf0U | (c >> 18)), continuation(12), continuation(6), continuation(0)};
  }
}

CharClasses::CharClasses() {
  std::string all(kCodePoints, '\0');
  const auto mark = [&all](std::span<const CharRange> ranges, std::uint8_t bit) {
    for (const CharRange& range : ranges)
      for (std::size_t c = range.first; c <= range.last; ++c) all[c] = static_cast<char>(all[c] | bit);
  };
  mark(removed_characters(), char_class::removed);
  mark(white_space(), char_class::white);
  mark(han_characters(), char_class::han);
  mark(nonspacing_marks(), char_class::mark);
  mark(punctuation(), char_class::punctuation);
  std::map<std::string_view, std::size_t> known;
  for (std::size_t page = 0; page < index_.size(); ++page) {
    const std::string_view content = std::string_view(all).substr(page << 8, 256);
    const auto [entry, is_new] = known.emplace(content, known.size());
    COTERIE_CHECK(Error, entry->second < 256, "unicode: more than 256 different pages of character classes");
    if (is_new) pages_.insert(pages_.end(), content.begin(), content.end());
    index_[page] = static_cast<std::uint8_t>(entry->second);
  }
}

int combining_class(char32_t c, std::uint8_t classes) {
  // A class never changes once given, so any utf8proc is right for the marks of Unicode 8.0. Younger marks and marks
  // that are not Mn come from our own table: what it does not name was a starter for the reference.
  if ((classes & char_class::mark) != 0)
    return static_cast<int>(utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class);
  if (c < 0x80 || (classes & char_class::han) != 0) return 0;
  const OrderedMarks* marks = find_range(ordered_marks(), c);
  return marks == nullptr ? 0 : marks->combining_class;
}

Decomposition decompose(char32_t c) {
  std::array<utf8proc_int32_t, 4> parts{};
  int boundary = 0;
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(),
                                             UTF8PROC_DECOMPOSE, &boundary);
  COTERIE_CHECK(Error, count >= 1 && count <= 4, "unicode: cannot decompose code point ",
                static_cast<std::uint32_t>(c));
  if (find_range(late_decompositions(), c) != nullptr) return {{c}, 1};
  Decomposition result{{}, static_cast<std::size_t>(count)};
  std::transform(parts.begin(), parts.begin() + count, result.parts.begin(),
                 [](utf8proc_int32_t part) { return static_cast<char32_t>(part); });
  return result;
}

Decomposition lower_case(char32_t c) {
  if (c == 0x130) return {{U'i', 0x307}, 2};
  if (const LateCase* late = find_range(late_cases(), c))
    return {{static_cast<char32_t>(static_cast<std::int32_t>(c) + late->offset)}, 1};
  return {{static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)))}, 1};
}

}  // namespace coterie::data
