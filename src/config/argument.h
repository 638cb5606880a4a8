// `key=value` arguments of the command line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/value.h"

namespace coterie::config {

/// One argument, taken apart. Where `problem` is not empty the rest is not to be used.
struct Argument {
  std::vector<std::string> path;  ///< the key at its dots
  Value value;
  std::string problem;
};

/// Takes `key=value` apart: the value is TOML, and a bare word (anything that is no TOML value, or a date) is a string.
///
/// A comma outside brackets and quotes is a problem: such lists are for sweeps.
[[nodiscard]] Argument parse_argument(const std::string& text);

/// The right-hand sides of a sweep, as they are written: `1e-3,[1, 2],'a,b'` has three. At least one, which may be
/// empty; commas inside brackets and quotes separate nothing.
[[nodiscard]] std::vector<std::string> alternatives(std::string_view right);

}  // namespace coterie::config
