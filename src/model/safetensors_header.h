// The header of a safetensors file: which tensors lie where. Parsed and checked here, without touching a file.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coterie::model {

namespace fs = std::filesystem;

/// Longest header that the format allows.
inline constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
/// Most tensors of one file: bounds what a hostile header makes us allocate. A bound of ours, not of the format.
inline constexpr std::size_t kMaxTensors = 1u << 18;
/// Longest text or number in a header, for the same reason.
inline constexpr std::size_t kMaxTokenBytes = 8u << 20;
/// Bytes of the header's length, which stands at the start of the file.
inline constexpr std::uint64_t kLengthBytes = 8;
/// The key of the header that holds text instead of a tensor.
inline constexpr std::string_view kMetadataKey = "__metadata__";

/// One tensor of a file.
struct TensorEntry {
  at::ScalarType dtype = at::ScalarType::Float;
  std::vector<std::int64_t> shape;  ///< empty for a single number; zero-sized dims are legal
  std::uint64_t begin = 0;          ///< first byte, counted from the end of the header
  std::uint64_t end = 0;            ///< one past the last byte
};

/// The checked content of a header.
struct SafetensorsHeader {
  std::map<std::string, TensorEntry, std::less<>> tensors;
  std::map<std::string, std::string> metadata;
};

/// Parses a header and checks every rule of the format. Besides: no field other than dtype, shape and data_offsets, at
/// most 64 dims, 2^18 tensors and 8 MiB of text at a time, and no dims whose product overflows even where one is zero.
///
/// @param text        the header without its length
/// @param data_bytes  what follows the header in the file
/// @param file        named in errors
/// @throws DataError naming file, tensor and byte
/// @par Source
/// safetensors format (huggingface/safetensors, README and src/tensor.rs), checks in the same order.
[[nodiscard]] SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t data_bytes,
                                                         const fs::path& file);

/// The format's name of an element type, for example `BF16`; nothing if the format has none.
[[nodiscard]] std::optional<std::string_view> dtype_name(at::ScalarType dtype);

/// Bytes of one element of a type that `dtype_name` knows.
[[nodiscard]] std::uint64_t dtype_bytes(at::ScalarType dtype);

}  // namespace coterie::model
