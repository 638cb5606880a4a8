#include "model/model_path.h"

#include <algorithm>

#include "base/error.h"
#include "base/excerpt.h"

namespace coterie::model {
namespace {

constexpr std::size_t kMaxNameBytes = 255;

// What is wrong with the name, or nothing.
std::string name_problem(const std::string& name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > kMaxNameBytes) return str("must have at most ", kMaxNameBytes, " bytes");
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(name.begin(), name.end(), control)) return "must not hold control characters";
  if (name.front() == '/') return "must not be absolute";
  if (name == "." || name == ".." || name.starts_with("../") || name.find("/..") != std::string::npos)
    return "must not climb out of the directory";
  if (name.find('/') != std::string::npos || name.find('\\') != std::string::npos) return "must not name a folder";
  if (name.find(':') != std::string::npos) return "must not name a drive";
  return "";
}

bool within(const fs::path& path, const fs::path& directory) {
  return std::mismatch(directory.begin(), directory.end(), path.begin(), path.end()).first == directory.end();
}

}  // namespace

fs::path resolve_in_directory(const fs::path& directory, const std::string& name, const std::string& said_by) {
  if (const std::string problem = name_problem(name); !problem.empty())
    throw DataError(str("model: file name ", problem, ", got ", excerpt(name), " (", said_by, ")"));
  const fs::path path = directory / name;
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error)))
    throw DataError(str("model: file ", excerpt(name), " is missing in ", directory.string(), " (", said_by, ")"));
  const fs::path target = fs::canonical(path, error);
  if (error)
    throw DataError(str("model: file ", excerpt(name), " leads nowhere, ", error.message(), " (", said_by, ")"));
  const fs::path root = fs::canonical(directory, error);
  const bool cached =
      root.parent_path().filename() == "snapshots" && within(target, root.parent_path().parent_path() / "blobs");
  if (!within(target, root) && !cached)
    throw DataError(str("model: file ", excerpt(name), " must not lead out of the directory, got a link to '",
                        target.string(), "' (", said_by, ")"));
  return path;
}

bool file_exists(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error && status.type() == fs::file_type::none)
    throw IoError(str("file: cannot look at '", path.string(), "': ", error.message()));
  return fs::exists(status);
}

}  // namespace coterie::model
