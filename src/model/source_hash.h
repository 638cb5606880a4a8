// A name for the weights that a model came with.
#pragma once

#include <string>

#include "model/sentence_encoder.h"

namespace coterie::model {

/// SHA-256 over names and hashes of the files that hold the weights. What else a model is stands in its spec.
/// @throws IoError if one cannot be read
[[nodiscard]] std::string weights_sha256(const ModelSource& source);

}  // namespace coterie::model
