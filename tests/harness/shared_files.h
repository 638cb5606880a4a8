// Reference data and models that lie outside the project: where they are, and a visible skip where they are not.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/cache.h"

namespace coterie::test {

/// A path below the folder of reference data: `$COTERIE_SHARED`, or `shared` beside the project.
inline std::filesystem::path shared_path(const std::string& below) {
  if (const char* folder = std::getenv("COTERIE_SHARED")) return std::filesystem::path(folder) / below;
  const char* source = std::getenv("COTERIE_SOURCE_DIR");
  return std::filesystem::path(source ? source : ".") / ".." / "shared" / below;
}

/// The pretrained checkpoint that `launch/bootstrap.sh` fetches.
inline std::filesystem::path minilm_path() { return cached_model("all-MiniLM-L6-v2"); }

/// One JSON value for each line.
inline std::vector<nlohmann::json> read_json_lines(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<nlohmann::json> values;
  for (std::string line; std::getline(in, line);) values.push_back(nlohmann::json::parse(line));
  return values;
}

}  // namespace coterie::test

/// Skips the test, visibly, unless the path exists.
#define COTERIE_REQUIRE_PATH(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs " << (path).string()
