// How values, ranges and names are spelled: in TOML, in messages and in help.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"

namespace coterie::config {

/// The shortest TOML float that reads back to the same double.
[[nodiscard]] std::string toml_number(double value);

/// A TOML basic string, quoted and escaped.
[[nodiscard]] std::string toml_string(std::string_view text);

/// A TOML list of strings on one line.
[[nodiscard]] std::string toml_list(const std::vector<std::string>& list);

/// How much of a value or an argument a message quotes.
inline constexpr std::size_t kExcerptBytes = 160;

/// `1..64`, `at least 1`, `at most 0.5`, or nothing where the type alone bounds the value.
[[nodiscard]] std::string range_text(const Bounds<std::int64_t>& bounds);
[[nodiscard]] std::string range_text(const Bounds<double>& bounds);

/// The name of `known` nearest to `unknown` in Levenshtein distance, the first of equals; empty if it is farther than
/// max(2, length / 3).
[[nodiscard]] std::string nearest_name(std::string_view unknown, std::span<const std::string> known);

}  // namespace coterie::config
