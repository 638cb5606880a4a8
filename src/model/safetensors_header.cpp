#include "model/safetensors_header.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/excerpt.h"
#include "model/json_file.h"

namespace coterie::model {
namespace {

using at::ScalarType;
using nlohmann::json;

constexpr std::size_t kMaxDims = 64;

struct Dtype {
  std::string_view name;
  ScalarType type;
  std::uint64_t bytes;
};

// The types of the format that a tensor of ours can hold: not the 4 and 6 bit ones.
constexpr auto kDtypes = std::to_array<Dtype>({
    {"BOOL", ScalarType::Bool, 1},
    {"U8", ScalarType::Byte, 1},
    {"I8", ScalarType::Char, 1},
    {"F8_E5M2", ScalarType::Float8_e5m2, 1},
    {"F8_E4M3", ScalarType::Float8_e4m3fn, 1},
    {"I16", ScalarType::Short, 2},
    {"U16", ScalarType::UInt16, 2},
    {"F16", ScalarType::Half, 2},
    {"BF16", ScalarType::BFloat16, 2},
    {"I32", ScalarType::Int, 4},
    {"U32", ScalarType::UInt32, 4},
    {"F32", ScalarType::Float, 4},
    {"C64", ScalarType::ComplexFloat, 8},
    {"F64", ScalarType::Double, 8},
    {"I64", ScalarType::Long, 8},
    {"U64", ScalarType::UInt64, 8},
});

std::string dtype_names() {
  std::string out;
  for (const Dtype& dtype : kDtypes) out += str(out.empty() ? "" : ", ", dtype.name);
  return out;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) out += str(i == 0 ? "" : ", ", shape[i]);
  return out + "]";
}

std::uint64_t element_count(const std::vector<std::int64_t>& shape) {
  std::uint64_t count = 1;
  for (const std::int64_t dim : shape) count *= static_cast<std::uint64_t>(dim);
  return count;
}

// Receives the parser's events; each event that does not fit the place it comes in is an error of its own.
class HeaderReader final : public json::json_sax_t {
 public:
  HeaderReader(const fs::path& file, const std::size_t& passed) : file_(file), passed_(passed) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool null() override { return unexpected("null"); }
  bool boolean(bool value) override { return unexpected(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override {
    if (!in_list()) return unexpected(str(value));
    if (value < 0) fail(list_name(), " must not be negative, got ", value);
    return number_unsigned(static_cast<std::uint64_t>(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (!in_list()) return unexpected(str(value));
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      fail(list_name(), " must be below 2^63, got ", value);
    if (place_ == Place::shape) return add_dim(static_cast<std::int64_t>(value));
    if (offsets_.size() == 2) fail("data_offsets must be two numbers, got more");
    offsets_.push_back(value);
    return true;
  }
  bool number_float(number_float_t, const string_t& text) override {
    if (in_list()) fail(list_name(), " must be integers, got ", excerpt(text));
    return unexpected(text);
  }
  bool string(string_t& value) override;
  bool binary(binary_t&) override { return unexpected("binary"); }
  bool start_object(std::size_t) override;
  bool key(string_t& name) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool parse_error(std::size_t, const std::string&, const json::exception& error) override {
    fail("header is not JSON, ", parse_reason(error));
  }

 private:
  enum class Place { outside, top, metadata, tensor, shape, offsets };

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    const bool in_tensor = place_ != Place::outside && place_ != Place::metadata && !name_.empty();
    throw DataError(str("safetensors: ", parts..., " (", file_.string(), in_tensor ? ", tensor " : "",
                        in_tensor ? excerpt(name_) : "", ", byte ", kLengthBytes + passed_, ")"));
  }
  [[nodiscard]] bool in_list() const { return place_ == Place::shape || place_ == Place::offsets; }
  [[nodiscard]] std::string_view list_name() const { return place_ == Place::shape ? "shape" : "data_offsets"; }

  // Throws; `got` is ready for the message.
  bool unexpected(const std::string& got) const;
  bool add_dim(std::int64_t dim);
  void add_tensor();

  const fs::path& file_;
  const std::size_t& passed_;
  SafetensorsHeader header_;
  Place place_ = Place::outside;
  bool metadata_seen_ = false;
  std::string name_;                   // of the tensor, or __metadata__
  std::string field_;                  // within the tensor or the metadata
  std::set<std::string> fields_seen_;  // of the tensor
  const Dtype* dtype_ = nullptr;
  std::vector<std::int64_t> shape_;
  std::vector<std::uint64_t> offsets_;
};

bool HeaderReader::unexpected(const std::string& got) const {
  switch (place_) {
    case Place::outside:
      fail("header must be an object, got ", got);
    case Place::top:
      fail(name_ == kMetadataKey ? "__metadata__ must be an object, got " : "entry must be an object, got ", got);
    case Place::metadata:
      fail("__metadata__ must map text to text, key ", excerpt(field_), " has ", got);
    case Place::tensor:
      fail(field_, field_ == "dtype" ? " must be text, got " : " must be a list of integers, got ", got);
    case Place::shape:
    case Place::offsets:
      fail(list_name(), " must be integers, got ", got);
  }
  return false;
}

bool HeaderReader::string(string_t& value) {
  if (place_ == Place::metadata) {
    if (!header_.metadata.emplace(field_, std::move(value)).second)
      fail("duplicate key ", excerpt(field_), " in __metadata__");
    return true;
  }
  if (place_ != Place::tensor || field_ != "dtype") return unexpected(excerpt(value));
  const auto found = std::find_if(kDtypes.begin(), kDtypes.end(), [&](const Dtype& d) { return d.name == value; });
  if (found == kDtypes.end()) fail("dtype must be one of ", dtype_names(), ", got ", excerpt(value));
  dtype_ = &*found;
  return true;
}

bool HeaderReader::start_object(std::size_t) {
  if (place_ == Place::outside) {
    place_ = Place::top;
    return true;
  }
  if (place_ != Place::top) return unexpected("an object");
  place_ = name_ == kMetadataKey ? Place::metadata : Place::tensor;
  fields_seen_.clear();
  return true;
}

bool HeaderReader::key(string_t& name) {
  if (place_ == Place::top) {
    name_ = std::move(name);
    if (name_ != kMetadataKey) {
      if (header_.tensors.contains(name_)) fail("duplicate tensor");
      if (header_.tensors.size() == kMaxTensors) fail("a file must hold at most ", kMaxTensors, " tensors, got more");
    } else if (std::exchange(metadata_seen_, true)) {
      fail("duplicate __metadata__");
    }
    return true;
  }
  field_ = std::move(name);
  if (place_ == Place::metadata) return true;
  if (field_ != "dtype" && field_ != "shape" && field_ != "data_offsets")
    fail("entry must hold dtype, shape and data_offsets, got ", excerpt(field_));
  if (!fields_seen_.insert(field_).second) fail("duplicate ", field_);
  return true;
}

bool HeaderReader::end_object() {
  if (place_ == Place::tensor) add_tensor();
  place_ = place_ == Place::top ? Place::outside : Place::top;
  return true;
}

bool HeaderReader::start_array(std::size_t) {
  if (place_ != Place::tensor || field_ == "dtype") return unexpected("a list");
  place_ = field_ == "shape" ? Place::shape : Place::offsets;
  (place_ == Place::shape) ? shape_.clear() : offsets_.clear();
  return true;
}

bool HeaderReader::end_array() {
  if (place_ == Place::offsets && offsets_.size() != 2) fail("data_offsets must be two numbers, got ", offsets_.size());
  place_ = Place::tensor;
  return true;
}

bool HeaderReader::add_dim(std::int64_t dim) {
  if (shape_.size() == kMaxDims) fail("shape must have at most ", kMaxDims, " dims, got more");
  shape_.push_back(dim);
  return true;
}

void HeaderReader::add_tensor() {
  for (const char* field : {"dtype", "shape", "data_offsets"})
    if (!fields_seen_.contains(field)) fail("entry has no ", field);
  // Zero dims count as one, so that strides cannot overflow either.
  auto bytes = static_cast<std::int64_t>(dtype_->bytes);
  for (const std::int64_t dim : shape_)
    if (__builtin_mul_overflow(bytes, std::max<std::int64_t>(dim, 1), &bytes))
      fail("shape ", shape_text(shape_), " of ", dtype_->name, " overflows 2^63 bytes");
  const std::uint64_t begin = offsets_[0];
  const std::uint64_t end = offsets_[1];
  if (end < begin) fail("data_offsets must not end before they begin, got [", begin, ", ", end, "]");
  if (const std::uint64_t wanted = element_count(shape_) * dtype_->bytes; end - begin != wanted)
    fail("shape ", shape_text(shape_), " of ", dtype_->name, " needs ", wanted, " bytes, data_offsets [", begin, ", ",
         end, "] give ", end - begin);
  header_.tensors.emplace(std::move(name_), TensorEntry{dtype_->type, shape_, begin, end});
  name_.clear();
}

// Where a string or number begins that is longer than allowed, or the size of the text. The parser would copy it more
// than once.
std::size_t first_long_token(std::string_view text) {
  constexpr std::string_view kSeparators = " \t\r\n,:[]{}";
  bool in_string = false;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"') {
      in_string = !in_string;
      begin = at + 1;
    } else if (in_string && text[at] == '\\') {
      ++at;
    } else if (!in_string && kSeparators.find(text[at]) != std::string_view::npos) {
      begin = at + 1;
    }
    if (at + 1 - begin > kMaxTokenBytes) return begin;
  }
  return text.size();
}

// Tensors must fill the data without hole, overlap or rest.
void check_layout(const SafetensorsHeader& header, std::uint64_t header_bytes, std::uint64_t data_bytes,
                  const fs::path& file) {
  using Item = decltype(header.tensors)::value_type;
  std::vector<const Item*> items;
  for (const auto& item : header.tensors) items.push_back(&item);
  std::sort(items.begin(), items.end(), [](const Item* a, const Item* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  const std::uint64_t base = kLengthBytes + header_bytes;
  const auto where = [&](const Item* item) {
    return str(" (", file.string(), ", tensor ", excerpt(item->first), ", byte ", base + item->second.begin, ")");
  };
  std::uint64_t expected = 0;
  const Item* before = nullptr;
  for (const Item* item : items) {
    const std::uint64_t begin = item->second.begin;
    if (begin > expected)
      throw DataError(str("safetensors: hole of ", begin - expected, " bytes before the tensor", where(item)));
    if (begin < expected)
      throw DataError(str("safetensors: overlap of ", expected - begin, " bytes with tensor ", excerpt(before->first),
                          where(item)));
    expected = item->second.end;
    before = item;
    if (expected > data_bytes)
      throw DataError(str("safetensors: file is cut short, tensor data needs ", base + expected, " bytes, got ",
                          base + data_bytes, where(item)));
  }
  if (expected < data_bytes)
    throw DataError(str("safetensors: ", data_bytes - expected, " bytes after the last tensor (", file.string(),
                        ", byte ", base + expected, ")"));
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t data_bytes, const fs::path& file) {
  const auto fail = [&](const std::string& what, std::size_t at) {
    throw DataError(str("safetensors: ", what, " (", file.string(), ", byte ", kLengthBytes + at, ")"));
  };
  if (text.empty()) fail("header must be a JSON object, got none", 0);
  if (const std::size_t bad = first_invalid_utf8(text); bad != text.size()) fail("header is not UTF-8", bad);
  if (text.front() != '{') fail(str("header must begin with '{', got ", excerpt(text.substr(0, 1))), 0);
  if (const std::size_t bad = first_long_token(text); bad != text.size())
    fail(str("a text or number must have at most ", kMaxTokenBytes, " bytes, got more"), bad);
  std::size_t passed = 0;
  HeaderReader reader(file, passed);
  json::sax_parse(CountingIterator(text.data(), &passed), CountingIterator(text.data() + text.size()), &reader);
  if (const std::size_t last = text.find_last_not_of(' '); text[last] != '}')
    fail(str("only spaces may follow the header, got ", excerpt(text.substr(last, 1))), last);
  SafetensorsHeader header = reader.take();
  check_layout(header, text.size(), data_bytes, file);
  return header;
}

std::optional<std::string_view> dtype_name(ScalarType dtype) {
  const auto found = std::find_if(kDtypes.begin(), kDtypes.end(), [&](const Dtype& d) { return d.type == dtype; });
  return found == kDtypes.end() ? std::nullopt : std::optional(found->name);
}

std::uint64_t dtype_bytes(ScalarType dtype) {
  const auto found = std::find_if(kDtypes.begin(), kDtypes.end(), [&](const Dtype& d) { return d.type == dtype; });
  COTERIE_CHECK(ShapeError, found != kDtypes.end(), "safetensors: dtype ", dtype, " has no name in the format");
  return found->bytes;
}

}  // namespace coterie::model
