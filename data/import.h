// Where documents come from: the table of importers, and how a source of the config is read.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "data/collection.h"

namespace coterie::data {

/// A format that `data build` reads.
struct Importer {
  std::string_view format;        ///< as `data.sources` names it
  std::string_view default_path;  ///< below the root, when the source names none
  std::vector<Collection> (*read)(const std::filesystem::path& path);
};

/// What `data.sources` names a corpus made from nothing.
inline constexpr std::string_view kSynth = "synth";

/// All importers, in alphabetical order. A new one is a file with its function, declared in `import_formats.h`, and a
/// line in this table.
[[nodiscard]] std::span<const Importer> importers();

/// Reads one source: `FORMAT`, or `FORMAT:PATH` with a path below `root` (or an absolute one).
///
/// @throws ConfigError listing `source_formats()` if the format is unknown or the path empty; what the importer throws
[[nodiscard]] std::vector<Collection> import_source(std::string_view source, const std::filesystem::path& root);

/// What a domain's name may be, in words: names become tokens, keys of the command line and folders.
inline constexpr std::string_view kDomainRule =
    "1 to 64 letters, digits, '_', '-' or '.', not beginning with '-' or '.', and not 'all'";

/// Whether a name follows `kDomainRule`.
[[nodiscard]] bool is_domain_name(std::string_view name);

}  // namespace coterie::data
