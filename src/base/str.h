// Text from parts: what every message in the program is made with.
#pragma once

#include <sstream>
#include <string>

namespace coterie {

/// Concatenates anything that has an `operator<<`.
template <class... Parts>
[[nodiscard]] std::string str(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace coterie
