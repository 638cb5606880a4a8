// A file that holds one JSON object, such as eval.json.
#pragma once

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file_ops.h"

namespace coterie {

/// @throws DataError unless the file holds a JSON object; IoError
[[nodiscard]] inline nlohmann::json read_json_object(const fs::path& path) {
  nlohmann::json object = nlohmann::json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) throw DataError(str("json: file must hold an object (", path.string(), ")"));
  return object;
}

}  // namespace coterie
