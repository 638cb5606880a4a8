// NumPy's array files (.npy): what `coterie embed` writes and the tests read back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/file_ops.h"

namespace coterie {

/// An array read from a file: fp32, last index fastest.
struct NpyArray {
  std::vector<std::int64_t> shape;  ///< empty for a single value
  std::vector<float> values;        ///< as many as the product of `shape`
};

/// Writes an array whole or not at all: format 1.0, little-endian fp32, C order.
///
/// @param shape  none negative; the product is the number of values
/// @throws ShapeError if values and shape disagree; IoError
/// @par Source
/// NumPy, `numpy.lib.format`; the header is padded with blanks so that the values start at a multiple of 64 bytes.
void write_npy(FileOps& ops, const fs::path& path, std::span<const float> values, std::span<const std::int64_t> shape);

/// Reads an array of the kind that `write_npy` writes, however its header is spaced and its keys are ordered.
///
/// @throws IoError if the file cannot be read; DataError with the offset if it is of another version, type or order, or
///         its size is not what the header says
[[nodiscard]] NpyArray read_npy(const fs::path& path);

}  // namespace coterie
