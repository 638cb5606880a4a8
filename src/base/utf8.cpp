// The table of well-formed sequences, as ranges of the byte after the first.
#include "base/utf8.h"

namespace coterie {
namespace {

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
  if (first < 0x80) return {first, 1, true};
  const Lead lead = lead_of(first);
  if (lead.following == 0) return {kReplacementChar, 1, false};
  char32_t value = first & (0x3fU >> lead.following);
  for (std::size_t i = 1; i <= lead.following; ++i) {
    if (i == text.size()) return {kReplacementChar, i, false};
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < (i == 1 ? lead.low : 0x80) || byte > (i == 1 ? lead.high : 0xbf)) return {kReplacementChar, i, false};
    value = (value << 6) | (byte & 0x3fU);
  }
  return {value, lead.following + 1, true};
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const DecodedChar next = decode_char(text);
    if (!next.well_formed) return false;
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

}  // namespace coterie
