// Reads safetensors files: opened once, checked whole before any tensor is read.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/handle.h"
#include "model/safetensors_header.h"

namespace coterie::model {

/// How a POSIX file descriptor is owned.
struct DescriptorTraits {
  using Raw = int;
  static Raw null() noexcept { return -1; }
  static void release(Raw raw) noexcept;
};

/// An open safetensors file whose header obeys every rule of the format.
class SafetensorsFile {
 public:
  /// @throws IoError if the file cannot be opened or read; DataError naming file, tensor and byte if it is not a
  ///   regular file, breaks a rule, or is something else that often lies in its place (Git-LFS pointer, web page,
  ///   archive)
  explicit SafetensorsFile(const fs::path& path);

  [[nodiscard]] const fs::path& path() const noexcept { return path_; }
  /// Names of all tensors, ascending.
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] bool contains(std::string_view name) const { return header_.tensors.contains(name); }
  /// The text entries, `format` among them.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const noexcept { return header_.metadata; }
  /// @throws DataError if there is no such tensor
  [[nodiscard]] const TensorEntry& entry(std::string_view name) const;

  /// A copy of a tensor on the CPU, in the file's dtype.
  /// @throws DataError if there is no such tensor, or the file has shrunk since; IoError if it cannot be read
  [[nodiscard]] at::Tensor read(std::string_view name) const;
  /// The same, converted to `dtype`.
  [[nodiscard]] at::Tensor read(std::string_view name, at::ScalarType dtype) const;

 private:
  void read_bytes(std::uint64_t offset, char* out, std::uint64_t count) const;

  fs::path path_;
  Handle<DescriptorTraits> file_;
  SafetensorsHeader header_;
  std::uint64_t data_offset_ = 0;  // where the tensors begin
};

}  // namespace coterie::model
