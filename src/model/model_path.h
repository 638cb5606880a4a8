// Files that another file of a model directory names: such a name must not lead out of the directory.
#pragma once

#include <filesystem>
#include <string>

namespace coterie::model {

namespace fs = std::filesystem;

/// The path of an entry of a model directory whose name comes from a file that we do not trust.
///
/// The name must be plain: no folder, no drive, at most 255 printable bytes. Symbolic links must stay in the directory;
/// those of a Hugging Face cache (`<model>/snapshots/<revision>`) may lead to its `blobs`. Nothing is opened.
///
/// @param said_by  where the name stands, for errors
/// @throws DataError if the name breaks a rule or nothing lies there
[[nodiscard]] fs::path resolve_in_directory(const fs::path& directory, const std::string& name,
                                            const std::string& said_by);

/// Whether anything lies at a path; a symbolic link counts as what it leads to.
/// @throws IoError if the system does not say
[[nodiscard]] bool file_exists(const fs::path& path);

}  // namespace coterie::model
