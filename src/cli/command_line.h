// What the user typed behind a subcommand: positional arguments, `key=value` settings, and flags that print and exit.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace coterie::cli {

/// The arguments of one subcommand.
struct CommandLine {
  std::vector<std::string> positional;
  std::vector<std::string> settings;  ///< `key=value`, in order
  bool print_config = false;
  bool help_config = false;
  bool list = false;    ///< of a sweep: its cells
  bool status = false;  ///< of a sweep: where they stand
  std::string command;  ///< `data build`
  std::string usage;    ///< what the command takes, for messages
  std::string text;     ///< the whole command line, for the record: one line that a shell takes

  /// Sorts raw arguments: a word with '=' is a setting unless a '/' stands before it, as in `./a=b.toml`; everything
  /// else is positional.
  void sort(const std::vector<std::string>& arguments);

  /// @throws ConfigError naming the usage unless there are `least` to `most` positional arguments
  void expect(std::size_t least, std::size_t most) const;
  /// Whether a setting `key=...` was given.
  [[nodiscard]] bool sets(const std::string& key) const;
};

/// A word as a shell would be given it, on one line: plain, in single quotes, or as `$'...'` if it holds control
/// characters or bytes that are not UTF-8.
[[nodiscard]] std::string shell_quoted(std::string_view word);

}  // namespace coterie::cli
