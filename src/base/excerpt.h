// How a message quotes what stands in a file.
#pragma once

#include <string>
#include <string_view>

namespace coterie {

/// The beginning of `text` in single quotes, at most 60 bytes of it; bytes that are not printable ASCII as `\xNN`, so
/// that a message is one line whatever the file holds.
[[nodiscard]] std::string excerpt(std::string_view text);

}  // namespace coterie
