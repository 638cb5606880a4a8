// How a message quotes what it did not write itself: on one line, and in UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace coterie {

/// `text` on one line: control characters and bytes that are not UTF-8 become `\xhh`.
[[nodiscard]] std::string printable(std::string_view text);

/// The beginning of `text` in single quotes, printable, at most so many bytes of it; `...` behind the closing quote if
/// that is not all. No character is cut in two.
[[nodiscard]] std::string excerpt(std::string_view text, std::size_t most_bytes = 60);

}  // namespace coterie
