// Where downloaded models lie.
#pragma once

#include <filesystem>
#include <string>

namespace coterie {

/// The folder of a model in the cache that `launch/bootstrap.sh` fills: `$COTERIE_CACHE/models/<name>`, by default
/// below `~/.cache/coterie`. It need not exist.
[[nodiscard]] std::filesystem::path cached_model(const std::string& name);

}  // namespace coterie
