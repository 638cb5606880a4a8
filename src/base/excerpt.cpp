// Quoting of foreign bytes.
#include "base/excerpt.h"

namespace coterie {

std::string excerpt(std::string_view text) {
  constexpr std::size_t kMostBytes = 60;
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out = "'";
  for (const char byte : text.substr(0, kMostBytes)) {
    const auto code = static_cast<unsigned char>(byte);
    if (code >= 0x20 && code < 0x7F)
      out += byte;
    else
      out += {'\\', 'x', kDigits[code >> 4], kDigits[code & 0xF]};
  }
  return out + (text.size() > kMostBytes ? "'..." : "'");
}

}  // namespace coterie
