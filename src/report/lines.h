// Text line by line.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace coterie::report {

/// Calls `act(line, number)` for each line, from 1.
template <class Act>
void for_each_line(std::string_view text, const Act& act) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    act(text.substr(0, end), number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace coterie::report
