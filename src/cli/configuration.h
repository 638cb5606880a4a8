// From the command line to checked options.
#pragma once

#include <optional>
#include <string>

#include "cli/command_line.h"
#include "train/run_options.h"

namespace coterie::cli {

/// Options and the text they resolve to, which loads back to the same options.
struct Configuration {
  train::RunOptions options;
  std::string text;
};

/// Composes the config file (if any) and the settings.
/// @throws ConfigError
[[nodiscard]] Configuration configure(const std::string& file, const CommandLine& line);

/// Answers `--help-config` and `--print-config`.
/// @return  whether one of them was given; the command then ends
[[nodiscard]] bool print_and_exit(const std::string& file, const CommandLine& line);

/// What `--version` says.
[[nodiscard]] std::string version_text();

/// The header of a run's config.toml: command line, commit, versions, host, ranks and date, as TOML comments.
[[nodiscard]] std::string provenance(const CommandLine& line, int ranks);

/// Says before the work whether `write_json` could write its file.
/// @throws IoError if not
void expect_json_writable(const std::string& path);

/// Writes a command's result to the file of its setting `json`, where that is set.
void write_json(const std::string& path, const std::string& json);

}  // namespace coterie::cli
