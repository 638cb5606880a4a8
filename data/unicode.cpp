#include "data/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <string_view>

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

}  // namespace

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
