#include "base/cache.h"

#include <cstdlib>

namespace coterie {

std::filesystem::path cached_model(const std::string& name) {
  std::filesystem::path cache;
  if (const char* folder = std::getenv("COTERIE_CACHE"); folder && *folder)
    cache = folder;
  else if (const char* home = std::getenv("HOME"); home && *home)
    cache = std::filesystem::path(home) / ".cache" / "coterie";
  return cache / "models" / name;
}

}  // namespace coterie
