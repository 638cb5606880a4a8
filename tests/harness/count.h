// How often a text holds another.
#pragma once

#include <string>

namespace coterie::test {

/// How often `part` occurs.
inline int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

}  // namespace coterie::test
