// Text from parts: what every message in the program is made with.
#pragma once

#include <sstream>
#include <string>
#include <string_view>

namespace coterie {

/// Concatenates anything that has an `operator<<`.
template <class... Parts>
[[nodiscard]] std::string str(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// The items one after another, with `separator` between them.
template <class Items>
[[nodiscard]] std::string joined(const Items& items, std::string_view separator = ", ") {
  std::ostringstream out;
  std::string_view before;
  for (const auto& item : items) {
    out << before << item;
    before = separator;
  }
  return out.str();
}

}  // namespace coterie
