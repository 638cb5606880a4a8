// Ranges of code points that BERT's tokenizer treats specially; unicode.h asks them in a quick way.
#pragma once

#include <cstdint>
#include <span>

namespace coterie::data {

/// The code points first..last, both included. Tables of ranges ascend and do not overlap.
struct CharRange {
  char32_t first;
  char32_t last;
};

/// Code points that share a canonical combining class.
struct OrderedMarks {
  char32_t first;
  char32_t last;
  std::uint8_t combining_class;
};

/// Upper case letters whose lower case is `offset` further on.
struct LateCase {
  char32_t first;
  char32_t last;
  std::int32_t offset;
};

/// What clean_text drops: control, format and private use characters, U+FFFD; not tab, line feed, carriage return.
[[nodiscard]] std::span<const CharRange> removed_characters();

/// The property White_Space, the controls among it included.
[[nodiscard]] std::span<const CharRange> white_space();

/// What handle_chinese_chars makes a word of its own.
[[nodiscard]] std::span<const CharRange> han_characters();

/// What becomes a word of its own: categories P*, and all ASCII symbols.
[[nodiscard]] std::span<const CharRange> punctuation();

/// Category Mn, which strip_accents drops.
[[nodiscard]] std::span<const CharRange> nonspacing_marks();

/// The code points of non-zero combining class that are not in `nonspacing_marks`: canonical ordering moves them, and
/// they remain.
[[nodiscard]] std::span<const OrderedMarks> ordered_marks();

/// Code points whose decomposition is younger than the reference's tables: they stay whole.
[[nodiscard]] std::span<const CharRange> late_decompositions();

/// Letters whose lower case is younger than the oldest utf8proc in use.
[[nodiscard]] std::span<const LateCase> late_cases();

}  // namespace coterie::data
