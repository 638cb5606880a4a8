// Small text files of a folder that is not yet in its place.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/file_ops.h"

namespace coterie::model {

/// Writes a new file and forces it to the disk.
/// @throws IoError, also if the file exists
void write_text(FileOps& ops, const std::filesystem::path& path, std::string_view text);

}  // namespace coterie::model
