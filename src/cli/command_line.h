// What the user typed behind a subcommand: positional arguments, `key=value` settings, and flags that print and exit.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace coterie::cli {

/// The arguments of one subcommand.
struct CommandLine {
  std::vector<std::string> positional;
  std::vector<std::string> settings;  ///< `key=value`, in order
  bool print_config = false;
  bool help_config = false;
  std::string text;  ///< the whole command line, for the record

  /// Sorts raw arguments: `name=...` with a dotted lower-case name is a setting, everything else positional.
  void sort(const std::vector<std::string>& arguments);

  /// @throws ConfigError naming the usage unless there are `least` to `most` positional arguments
  void expect(std::size_t least, std::size_t most, const std::string& usage) const;
};

}  // namespace coterie::cli
