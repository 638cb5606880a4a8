// Unicode as BERT's tokenizer sees it: classes of code points, canonical decomposition, lower case.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/utf8.h"

namespace coterie::data {

/// Classes of code points; a code point may be in several.
namespace char_class {
inline constexpr std::uint8_t removed = 1;       ///< dropped by clean_text
inline constexpr std::uint8_t white = 2;         ///< separates words
inline constexpr std::uint8_t han = 4;           ///< a word of its own if handle_chinese_chars
inline constexpr std::uint8_t mark = 8;          ///< dropped by strip_accents
inline constexpr std::uint8_t punctuation = 16;  ///< a word of its own
}  // namespace char_class

/// The classes of every code point, in pages of 256 of which equal ones are stored once.
class CharClasses {
 public:
  CharClasses();
  /// The bits of `char_class` for a code point.
  [[nodiscard]] std::uint8_t of(char32_t c) const { return pages_[(std::size_t{index_[c >> 8]} << 8) | (c & 0xff)]; }

 private:
  std::array<std::uint8_t, 0x1100> index_{};
  std::vector<std::uint8_t> pages_;
};

/// The canonical combining class in Unicode 9.0; 0 for starters.
///
/// @param classes  the bits of `char_class` for `c`
[[nodiscard]] int combining_class(char32_t c, std::uint8_t classes);

/// A full canonical decomposition; at most four code points.
struct Decomposition {
  std::array<char32_t, 4> parts;
  std::size_t size;
};

/// The canonical decomposition in Unicode 9.0, recursive, not reordered; `c` itself where it has none.
[[nodiscard]] Decomposition decompose(char32_t c);

/// The lower case of one code point without regard to its neighbours, as in Rust's `char::to_lowercase`.
///
/// Only U+0130 becomes two code points: `i` and U+0307.
[[nodiscard]] Decomposition lower_case(char32_t c);

}  // namespace coterie::data
