// Taking a composed config apart, where two commands share one file: the keys of one are unknown to the other.
#pragma once

#include <span>
#include <string_view>

#include "config/tree.h"

namespace coterie::config {

/// The tree with these keys of its root and no others.
[[nodiscard]] Tree only(const Tree& tree, std::span<const std::string_view> keys);

/// The tree with all keys of its root but these.
[[nodiscard]] Tree without(const Tree& tree, std::span<const std::string_view> keys);

}  // namespace coterie::config
