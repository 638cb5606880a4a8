#include "model/safetensors_writer.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/sha256.h"
#include "model/json_file.h"
#include "model/safetensors_header.h"

namespace coterie::model {
namespace {

std::uint64_t stored_bytes(const at::Tensor& tensor) {
  return static_cast<std::uint64_t>(tensor.numel()) * dtype_bytes(tensor.scalar_type());
}

// The tensors in the order of the file.
std::vector<const NamedTensor*> layout(std::span<const NamedTensor> tensors) {
  COTERIE_CHECK(ShapeError, tensors.size() <= kMaxTensors, "safetensors: a file must hold at most ", kMaxTensors,
                " tensors, got ", tensors.size());
  std::vector<const NamedTensor*> order;
  std::vector<std::string_view> names;
  for (const NamedTensor& item : tensors) {
    COTERIE_CHECK(ShapeError, item.tensor.defined(), "safetensors: tensor ", excerpt(item.name), " is undefined");
    COTERIE_CHECK(ShapeError, dtype_name(item.tensor.scalar_type()).has_value(), "safetensors: tensor ",
                  excerpt(item.name), " has a dtype unknown to the format, ", item.tensor.scalar_type());
    COTERIE_CHECK(ShapeError, item.name != kMetadataKey, "safetensors: a tensor must not be named ", kMetadataKey);
    order.push_back(&item);
    names.push_back(item.name);
  }
  std::sort(names.begin(), names.end());
  const auto twin = std::adjacent_find(names.begin(), names.end());
  COTERIE_CHECK(ShapeError, twin == names.end(), "safetensors: two tensors are named ", excerpt(*twin));
  std::sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    const std::uint64_t bytes_a = dtype_bytes(a->tensor.scalar_type());
    const std::uint64_t bytes_b = dtype_bytes(b->tensor.scalar_type());
    return std::tie(bytes_b, a->name) < std::tie(bytes_a, b->name);
  });
  return order;
}

std::string json_text(const std::string& text) {
  COTERIE_CHECK(ShapeError, first_invalid_utf8(text) == text.size(), "safetensors: text must be UTF-8, got ",
                excerpt(text));
  return nlohmann::json(text).dump();
}

std::string header_text(const std::vector<const NamedTensor*>& order, std::map<std::string, std::string> metadata) {
  metadata.try_emplace("format", "pt");
  std::string out;
  for (const auto& [key, value] : metadata) {
    out += out.empty() ? str("{", json_text(std::string(kMetadataKey)), ":{") : ",";
    out += str(json_text(key), ":", json_text(value));
  }
  out += "}";
  std::uint64_t begin = 0;
  for (const NamedTensor* item : order) {
    const std::uint64_t end = begin + stored_bytes(item->tensor);
    std::string shape;
    for (const std::int64_t dim : item->tensor.sizes()) shape += str(shape.empty() ? "" : ",", dim);
    out += str(",", json_text(item->name), R"(:{"dtype":")", *dtype_name(item->tensor.scalar_type()), R"(","shape":[)",
               shape, R"(],"data_offsets":[)", begin, ",", end, "]}");
    begin = end;
  }
  out += "}";
  out.resize((out.size() + 7) / 8 * 8, ' ');
  COTERIE_CHECK(ShapeError, out.size() <= kMaxHeaderBytes, "safetensors: header must have at most ", kMaxHeaderBytes,
                " bytes, got ", out.size());
  return out;
}

WrittenFile write_content(OutputFile& file, const std::vector<const NamedTensor*>& order, const std::string& header) {
  Sha256 hash;
  WrittenFile written;
  const auto write = [&](std::span<const std::byte> bytes) {
    file.write(bytes);
    hash.update(bytes);
    written.bytes += bytes.size();
  };
  std::array<std::byte, kLengthBytes> length = {};
  const std::uint64_t header_bytes = header.size();
  std::memcpy(length.data(), &header_bytes, length.size());
  write(length);
  write(std::as_bytes(std::span(header)));
  for (const NamedTensor* item : order) {
    const at::Tensor dense = item->tensor.detach().to(at::kCPU).contiguous();
    write(std::span(static_cast<const std::byte*>(dense.const_data_ptr()), stored_bytes(dense)));
  }
  written.sha256 = hash.hex();
  return written;
}

}  // namespace

WrittenFile write_safetensors(FileOps& ops, const fs::path& path, std::span<const NamedTensor> tensors,
                              const std::map<std::string, std::string>& metadata, Sync sync) {
  const auto order = layout(tensors);
  const std::string header = header_text(order, metadata);
  const auto file = ops.create(path);
  try {
    const WrittenFile written = write_content(*file, order, header);
    if (sync == Sync::yes) file->sync();
    return written;
  } catch (...) {
    std::error_code ignored;
    fs::remove(path, ignored);
    throw;
  }
}

}  // namespace coterie::model
