#include "model/json_file.h"

#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/file_ops.h"

namespace coterie::model {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kMaxFileBytes = 64u << 20;
constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxValueBytes = 120;
constexpr std::size_t kMaxReasonBytes = 200;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f; }

std::string escaped(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, max_bytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_control(c))
      out += std::string{'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    else
      out += c;
  }
  if (text.size() > max_bytes) out += str("... (", text.size(), " bytes)");
  return out;
}

// Length of the well-formed sequence at the start of `text` (Unicode 15, table 3-7), 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto within = [&](std::size_t i, unsigned low, unsigned high) { return byte(i) >= low && byte(i) <= high; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return within(1, 0x80, 0xbf) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const unsigned low = lead == 0xe0 ? 0xa0 : 0x80;   // no overlong form
    const unsigned high = lead == 0xed ? 0x9f : 0xbf;  // no surrogate
    return within(1, low, high) && within(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const unsigned low = lead == 0xf0 ? 0x90 : 0x80;   // no overlong form
    const unsigned high = lead == 0xf4 ? 0x8f : 0xbf;  // nothing above U+10FFFF
    return within(1, low, high) && within(2, 0x80, 0xbf) && within(3, 0x80, 0xbf) ? 4 : 0;
  }
  return 0;
}

// Refuses duplicate keys and deep nesting while the parser builds the value.
class Guard {
 public:
  Guard(const fs::path& file, const std::size_t& passed) : file_(file), passed_(passed) {}

  bool operator()(int depth, json::parse_event_t event, json& parsed) {
    if (depth >= kMaxDepth)
      throw DataError(
          str("json: nesting must be at most ", kMaxDepth, " deep (", file_.string(), ", byte ", passed_, ")"));
    if (event == json::parse_event_t::object_start) keys_.emplace_back();
    if (event == json::parse_event_t::object_end) keys_.pop_back();
    if (event == json::parse_event_t::key && !keys_.back().insert(parsed.get_ref<const std::string&>()).second)
      throw DataError(str("json: duplicate key ", excerpt(parsed.get_ref<const std::string&>()), " (", file_.string(),
                          ", byte ", passed_, ")"));
    return true;
  }

 private:
  const fs::path& file_;
  const std::size_t& passed_;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

std::size_t first_invalid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return at;
}

std::string parse_reason(const json::exception& error) {
  std::string_view reason = error.what();
  if (const auto end = reason.find("] "); end != std::string_view::npos) reason.remove_prefix(end + 2);
  return escaped(reason, kMaxReasonBytes);
}

std::string read_small_file(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw IoError(str("file: cannot read '", path.string(), "': no such file"));
  if (!fs::is_regular_file(status)) throw DataError(str("file: must be a regular file (", path.string(), ")"));
  const std::uintmax_t bytes = fs::file_size(path, error);
  if (!error && bytes > kMaxFileBytes)
    throw DataError(str("file: must have at most ", kMaxFileBytes, " bytes, got ", bytes, " (", path.string(), ")"));
  return read_file(path);
}

json parse_json(std::string_view text, const fs::path& file) {
  std::size_t passed = 0;
  Guard guard(file, passed);
  try {
    return json::parse(CountingIterator(text.data(), &passed), CountingIterator(text.data() + text.size()),
                       json::parser_callback_t(std::ref(guard)));
  } catch (const json::exception& error) {
    throw DataError(str("json: not JSON, ", parse_reason(error), " (", file.string(), ", byte ", passed, ")"));
  }
}

json read_json(const fs::path& path) { return parse_json(read_small_file(path), path); }

JsonObject::JsonObject(json value, fs::path file) : value_(std::move(value)), file_(std::move(file)) {
  if (!value_.is_object())
    throw DataError(str("json: must be an object, got ", value_.type_name(), " (", file_.string(), ")"));
}

const json* JsonObject::find(const std::string& key) const {
  const auto found = value_.find(key);
  return found == value_.end() ? nullptr : &*found;
}

std::int64_t JsonObject::integer(const std::string& key, std::int64_t fallback, std::int64_t min,
                                 std::int64_t max) const {
  const json* value = find(key);
  if (value == nullptr) return fallback;
  const bool fits = value->is_number_unsigned() ? value->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX)
                                                : value->is_number_integer();
  if (!fits || value->get<std::int64_t>() < min || value->get<std::int64_t>() > max)
    reject(key, str("an integer in ", min, "..", max));
  return value->get<std::int64_t>();
}

double JsonObject::number(const std::string& key, double fallback, double min, double max) const {
  const json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_number() || !(value->get<double>() >= min && value->get<double>() < max))
    reject(key, str("a number in [", min, ", ", max, ")"));
  return value->get<double>();
}

std::string JsonObject::text(const std::string& key, const std::string& fallback) const {
  const json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) reject(key, "a string");
  return value->get<std::string>();
}

bool JsonObject::flag(const std::string& key, bool fallback) const {
  const json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) reject(key, "true or false");
  return value->get<bool>();
}

void JsonObject::reject(const std::string& key, const std::string& must_be) const {
  const json* value = find(key);
  const std::string got = value == nullptr ? "nothing" : value->dump(-1, ' ', true, json::error_handler_t::replace);
  throw DataError(str("json: ", key, " must be ", must_be, ", got ", escaped(got, kMaxValueBytes), " (", file_.string(),
                      ", key ", excerpt(key), ")"));
}

}  // namespace coterie::model
