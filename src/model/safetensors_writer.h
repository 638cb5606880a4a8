// Writes safetensors files.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "base/file_ops.h"

namespace coterie::model {

/// A tensor and the name under which it is stored.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

/// What was written, for manifests.
struct WrittenFile {
  std::string sha256;
  std::uint64_t bytes = 0;
};

/// Whether the file is forced to the disk before it is closed.
enum class Sync { no, yes };

/// Writes a new safetensors file: tensors by falling element size, then by name; the data begins at a multiple of 8.
/// For tensors of one dtype these are the bytes that the reference writer (huggingface/safetensors) gives.
///
/// A tensor is copied only while it is written, and only if it is not contiguous or not on the CPU. The metadata gets
/// `format = pt` (which transformers demands) unless it has a `format` already.
///
/// @throws IoError if the file exists or cannot be written, nothing is then left of what was written; ShapeError for
///   two equal names, an undefined tensor, a dtype unknown to the format, or text that is not UTF-8
WrittenFile write_safetensors(FileOps& ops, const fs::path& path, std::span<const NamedTensor> tensors,
                              const std::map<std::string, std::string>& metadata = {}, Sync sync = Sync::yes);

}  // namespace coterie::model
