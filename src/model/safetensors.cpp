#include "model/safetensors.h"

#include <ATen/ops/empty.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <span>

#include "base/error.h"
#include "base/excerpt.h"

namespace coterie::model {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are copied from little-endian files as they are");

struct Lookalike {
  std::string_view start;
  std::string_view meaning;
};

// What stands under the name of a checkpoint when a download went wrong.
constexpr auto kLookalikes = std::to_array<Lookalike>({
    {"version https://git-lfs", "a Git-LFS pointer, fetch the content with 'git lfs pull'"},
    {"<", "a web page or XML, download the file again"},
    {"\x1f\x8b", "gzip data, unpack it first"},
    {"PK\x03\x04", "a zip archive, as torch.save writes, convert it to safetensors"},
    {"{", "JSON without the header's length"},
});

[[noreturn]] void fail_io(const char* doing, const fs::path& path) {
  const int error = errno;
  throw IoError(str("safetensors: cannot ", doing, " '", path.string(), "': ", errno_text(error)));
}

Handle<DescriptorTraits> open_for_reading(const fs::path& path) {
  // Without O_NONBLOCK the open of a FIFO would wait for a writer.
  Handle<DescriptorTraits> file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) fail_io("open", path);
  return file;
}

std::uint64_t regular_file_bytes(int file, const fs::path& path) {
  struct stat status = {};
  if (::fstat(file, &status) != 0) fail_io("stat", path);
  if (!S_ISREG(status.st_mode)) throw DataError(str("safetensors: must be a regular file (", path.string(), ")"));
  return static_cast<std::uint64_t>(status.st_size);
}

void refuse_lookalikes(std::string_view start, const fs::path& path) {
  for (const Lookalike& lookalike : kLookalikes) {
    // As the low bytes of a header length, '<' or '{' are possible; a length has zeros in its high bytes.
    const bool text = start.substr(0, kLengthBytes).find('\0') == std::string_view::npos;
    if (start.starts_with(lookalike.start) && (text || lookalike.start.size() > 1))
      throw DataError(
          str("safetensors: not a safetensors file, got ", lookalike.meaning, " (", path.string(), ", byte 0)"));
  }
}

}  // namespace

void DescriptorTraits::release(Raw raw) noexcept { ::close(raw); }

SafetensorsFile::SafetensorsFile(const fs::path& path) : path_(path), file_(open_for_reading(path)) {
  const std::uint64_t file_bytes = regular_file_bytes(file_.get(), path_);
  std::array<char, 32> start_bytes = {};
  const std::uint64_t start_size = std::min<std::uint64_t>(file_bytes, start_bytes.size());
  read_bytes(0, start_bytes.data(), start_size);
  const std::string_view start(start_bytes.data(), start_size);
  refuse_lookalikes(start, path_);
  if (file_bytes < kLengthBytes)
    throw DataError(str("safetensors: file must have at least ", kLengthBytes, " bytes, got ", file_bytes, " (",
                        path_.string(), ", byte 0)"));

  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, start.data(), kLengthBytes);
  if (header_bytes > kMaxHeaderBytes)
    throw DataError(str("safetensors: header must have at most ", kMaxHeaderBytes, " bytes, got ", header_bytes, " (",
                        path_.string(), ", byte 0)"));
  if (header_bytes > file_bytes - kLengthBytes)
    throw DataError(str("safetensors: file is cut short, header needs ", header_bytes, " bytes, got ",
                        file_bytes - kLengthBytes, " (", path_.string(), ", byte 0)"));
  std::string header(header_bytes, '\0');
  read_bytes(kLengthBytes, header.data(), header_bytes);
  data_offset_ = kLengthBytes + header_bytes;
  header_ = parse_safetensors_header(header, file_bytes - data_offset_, path_);
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> out;
  out.reserve(header_.tensors.size());
  for (const auto& [name, entry] : header_.tensors) out.push_back(name);
  return out;
}

const TensorEntry& SafetensorsFile::entry(std::string_view name) const {
  const auto found = header_.tensors.find(name);
  if (found == header_.tensors.end())
    throw DataError(
        str("safetensors: no tensor ", excerpt(name), " among ", header_.tensors.size(), " (", path_.string(), ")"));
  return found->second;
}

at::Tensor SafetensorsFile::read(std::string_view name) const {
  const TensorEntry& tensor = entry(name);
  at::Tensor out = at::empty(tensor.shape, tensor.dtype);
  auto* bytes = static_cast<char*>(out.mutable_data_ptr());
  const std::uint64_t count = tensor.end - tensor.begin;
  read_bytes(data_offset_ + tensor.begin, bytes, count);
  // Any other byte in a bool is undefined behaviour.
  if (tensor.dtype == at::ScalarType::Bool) {
    const std::span<const char> values(bytes, count);
    const auto bad = std::find_if(values.begin(), values.end(), [](char value) { return value != 0 && value != 1; });
    if (bad != values.end())
      throw DataError(str("safetensors: BOOL must be 0 or 1, got ", static_cast<int>(static_cast<unsigned char>(*bad)),
                          " (", path_.string(), ", tensor ", excerpt(name), ", byte ",
                          data_offset_ + tensor.begin + static_cast<std::uint64_t>(bad - values.begin()), ")"));
  }
  return out;
}

at::Tensor SafetensorsFile::read(std::string_view name, at::ScalarType dtype) const { return read(name).to(dtype); }

void SafetensorsFile::read_bytes(std::uint64_t offset, char* out, std::uint64_t count) const {
  while (count > 0) {
    const ssize_t got = ::pread(file_.get(), out, count, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_io("read", path_);
    if (got == 0)
      throw DataError(str("safetensors: file has shrunk while open, ", count, " bytes are missing (", path_.string(),
                          ", byte ", offset, ")"));
    offset += static_cast<std::uint64_t>(got);
    out += got;
    count -= static_cast<std::uint64_t>(got);
  }
}

}  // namespace coterie::model
