// TOML text to values: the only place that knows the TOML library.
#pragma once

#include <string>
#include <string_view>

#include "config/value.h"

namespace coterie::config {

/// How deep tables and lists may nest; the depth of brackets and that of a dotted key are bounded apart.
inline constexpr int kMaxNesting = 32;

/// Parses a whole document into a table whose values know their line and column.
///
/// @param name  what origins and errors call the document, a path
/// @throws ConfigError with `name:line:column` if the text is not TOML or nests too deeply
[[nodiscard]] Value parse_document(std::string_view text, const std::string& name);

/// Parses one TOML value, for example the right-hand side of an argument.
///
/// @param origin  what the value and everything in it came from
/// @throws ConfigError with the reason alone if the text is not exactly one value
[[nodiscard]] Value parse_value(std::string_view text, const Origin& origin);

}  // namespace coterie::config
