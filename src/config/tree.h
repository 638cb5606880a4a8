// A composed config: files, their defaults and the command line laid over each other, before anything is checked.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/value.h"

namespace coterie::config {

/// The values of a composed document with their origins, and the arguments that could not be understood.
class Tree {
 public:
  explicit Tree(Value root, std::vector<std::string> problems = {});

  [[nodiscard]] const Value& root() const noexcept { return root_; }
  /// Problems of the arguments; `read` reports them together with those of the values.
  [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }
  /// Where the value of a dotted key comes from: `configs/train.toml:3:6`, `argument 'k=v'` or `default`.
  [[nodiscard]] std::string origin(std::string_view key) const;

 private:
  Value root_;
  std::vector<std::string> problems_;
};

/// Composes a config file and `key=value` arguments; later wins: the `defaults` of the file left to right (each with
/// its own `defaults`), the file's own keys, the arguments in order. Tables merge, lists replace.
///
/// An entry `group/name` of `defaults` is the file `group/name.toml` below the folder of `file`, whichever file names
/// it; a leading `../` moves that folder, for the file so named and for all that it names. An argument `group=name`
/// replaces the entries of that group, except inside files of the group itself, which may build on each other.
///
/// @throws ConfigError with file, line and column if a file is missing, not TOML, larger than 1 MiB, or leads back to
///         itself
[[nodiscard]] Tree compose(const std::filesystem::path& file, const std::vector<std::string>& arguments);

/// The arguments alone, over the defaults of the structs.
[[nodiscard]] Tree compose(const std::vector<std::string>& arguments);

/// The tree of a resolved config that was kept or sent as text; `name` is what origins call it.
/// @throws ConfigError as `compose`
[[nodiscard]] Tree tree_of_text(std::string_view text, const std::string& name);

}  // namespace coterie::config
