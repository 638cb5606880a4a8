// From a composed config to checked options, and from options back to text. The root is any struct with a `describe`.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "config/listing.h"
#include "config/reader.h"
#include "config/tree.h"

namespace coterie::config {

/// The options of a composed config, checked.
///
/// If `validate(const Options&, Problems&)` exists beside `Options`, it is called and what it adds is reported too. It
/// sees the defaults where a value could not be taken.
///
/// @throws ConfigError naming all problems at once, each with its origin
template <class Options>
[[nodiscard]] Options read(const Tree& tree) {
  Options options;
  Reader reader(tree);
  describe(reader, options);
  reader.check_unknown_keys();
  if constexpr (requires { validate(std::as_const(options), reader.problems()); })
    validate(std::as_const(options), reader.problems());
  reader.problems().throw_if_any();
  return options;
}

/// `--print-config`: TOML that loads back to the same options, with doc, range and origin of every key.
template <class Options>
[[nodiscard]] std::string print(Options options, const Tree& tree) {
  Listing listing;
  describe(listing, options);
  return print_listing(listing, [&](std::string_view key) { return tree.origin(key); });
}

/// The TOML value of each dotted key.
template <class Options>
[[nodiscard]] std::map<std::string, std::string> values(Options options) {
  Listing listing;
  describe(listing, options);
  return values_of(listing);
}

/// `--help-config`: key, default, type, range and doc of every option, in TOML.
template <class Options>
[[nodiscard]] std::string help() {
  Options options;
  Listing listing;
  describe(listing, options);
  return help_listing(listing);
}

}  // namespace coterie::config
