// UTF-8: decoding, checking and encoding, with one answer to what is well-formed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace coterie {

/// What stands for bytes that are not UTF-8.
inline constexpr char32_t kReplacementChar = 0xfffd;

/// One code point and the bytes it took.
struct DecodedChar {
  char32_t value;
  std::size_t bytes;
  bool well_formed;  ///< false: `value` is `kReplacementChar` because the bytes are no UTF-8
};

/// The first code point of a text that is not empty.
///
/// A maximal bad subpart (Unicode, table 3-7) counts as one U+FFFD, as in Python's `errors="replace"`.
[[nodiscard]] DecodedChar decode_char(std::string_view text);

/// Whether all of a text is well-formed UTF-8.
[[nodiscard]] bool is_utf8(std::string_view text);

/// Appends a code point in UTF-8.
void append_char(std::string& text, char32_t c);

}  // namespace coterie
