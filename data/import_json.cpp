// Parsing and checking of imported JSON.
#include "data/import_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/file_ops.h"
#include "base/text.h"

namespace coterie::data {
namespace {

using Json = nlohmann::json;

// The parser's own words without its error number and its position, which counts from the start of the text.
std::string reason(const std::string& message) {
  const std::size_t column = message.find(", column ");
  const std::size_t colon = message.find(": ", column == std::string::npos ? 0 : column);
  return colon == std::string::npos ? message : message.substr(colon + 2);
}

// `path:line:column` of the byte-th byte (from 1) of a text that begins in `line`.
std::string place_of(std::string_view text, std::size_t byte, const std::filesystem::path& path, std::int64_t line) {
  const std::string_view before = text.substr(0, byte == 0 ? 0 : std::min(byte - 1, text.size()));
  const auto breaks = std::count(before.begin(), before.end(), '\n');
  const std::size_t start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return place(path, line + breaks, static_cast<std::int64_t>(before.size() - start) + 1);
}

}  // namespace

Json parse_json(std::string_view text, const std::filesystem::path& path, std::int64_t line) {
  const auto bounded = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxJsonDepth)
      throw DataError(str("json: values may be nested ", kMaxJsonDepth, " deep, got more (", place(path, line), ")"));
    return true;
  };
  try {
    return Json::parse(text, bounded);
  } catch (const Json::parse_error& error) {
    throw DataError(str("json: ", reason(error.what()), " (", place_of(text, error.byte, path, line), ")"));
  } catch (const Json::exception& error) {  // a number beyond double
    throw DataError(str("json: ", error.what(), " (", place(path, line), ")"));
  }
}

std::string type_name(const Json& value) {
  if (value.is_number_integer()) return "an integer";
  if (value.is_number()) return "a number with a fraction";
  if (value.is_null()) return "null";
  const std::string name = value.type_name();
  return (name == "object" || name == "array" ? "an " : "a ") + name;
}

JsonLine::JsonLine(const char* unit, std::string_view text, const std::filesystem::path& path, std::int64_t line)
    : unit_(unit), path_(path), line_(line), object_(std::make_unique<Json>(parse_json(text, path, line))) {
  if (!object_->is_object()) fail("a line must be an object, got " + type_name(*object_));
}

JsonLine::~JsonLine() = default;

bool JsonLine::has(const char* name) const { return object_->contains(name); }

const Json& JsonLine::field(const char* name) const {
  const auto found = object_->find(name);
  if (found != object_->end()) return *found;
  std::string names;
  for (const auto& [key, value] : object_->items()) names += (names.empty() ? "" : ", ") + excerpt(key);
  fail(str("field '", name, "' is missing, got ", names.empty() ? "none" : names));
}

std::string JsonLine::text(const char* name) const {
  const Json& value = field(name);
  if (!value.is_string()) fail(str("'", name, "' must be a string, got ", type_name(value)));
  return value.get<std::string>();
}

std::string JsonLine::id(const char* name) const {
  const Json& value = field(name);
  if (value.is_number_integer()) return value.dump();
  if (!value.is_string()) fail(str("'", name, "' must be a string or an integer, got ", type_name(value)));
  auto text = value.get<std::string>();
  if (trimmed(text).empty()) fail(str("'", name, "' must not be empty, got ", excerpt(text)));
  return text;
}

std::int64_t JsonLine::integer(const char* name, std::int64_t min, std::int64_t max) const {
  const Json& value = field(name);
  if (!value.is_number_integer()) fail(str("'", name, "' must be an integer, got ", type_name(value)));
  // Unsigned numbers above int64 would turn negative.
  const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(max);
  if (huge || value.get<std::int64_t>() < min || value.get<std::int64_t>() > max)
    fail(str("'", name, "' must be in ", min, "..", max, ", got ", value.dump()));
  return value.get<std::int64_t>();
}

void JsonLine::fail(const std::string& what) const {
  throw DataError(str(unit_, ": ", what, " (", place(path_, line_), ")"));
}

void for_each_json_line(const char* unit, const std::filesystem::path& file,
                        const std::function<void(const JsonLine&, std::int64_t)>& use) {
  const std::string text = read_file(file);
  LineReader lines(text);
  while (const auto line = lines.next())
    if (!trimmed(*line).empty()) use(JsonLine(unit, *line, file, lines.number()), lines.number());
}

}  // namespace coterie::data
