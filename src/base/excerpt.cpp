// Quoting of foreign bytes.
#include "base/excerpt.h"

#include "base/str.h"
#include "base/utf8.h"

namespace coterie {
namespace {

// C0, DEL and C1: what a terminal may act upon.
bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7f && c < 0xa0); }

}  // namespace

std::string printable(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    const DecodedChar next = decode_char(text);
    const std::string_view bytes = text.substr(0, next.bytes);
    if (next.well_formed && !is_control(next.value)) {
      out += bytes;
    } else {
      for (const char byte : bytes) {
        const auto code = static_cast<unsigned char>(byte);
        out += {'\\', 'x', kDigits[code >> 4], kDigits[code & 0xf]};
      }
    }
    text.remove_prefix(next.bytes);
  }
  return out;
}

std::string excerpt(std::string_view text, std::size_t most_bytes) {
  std::size_t size = 0;
  while (size < text.size()) {
    const std::size_t next = decode_char(text.substr(size)).bytes;
    if (size + next > most_bytes) break;
    size += next;
  }
  return str("'", printable(text.substr(0, size)), size < text.size() ? "'..." : "'");
}

}  // namespace coterie
