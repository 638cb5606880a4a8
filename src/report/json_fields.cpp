#include "report/json_fields.h"

#include <cmath>

#include "base/error.h"
#include "base/excerpt.h"

namespace coterie::report {
namespace {

using nlohmann::json;

/// What a field must be, in words, and how it is told.
struct Kind {
  const char* name;
  bool (*holds)(const json& value);
};

const json& field(const json& object, const char* key, const Kind& kind, const std::string& place) {
  if (!object.is_object())
    throw DataError(
        str("report: there must be an object with '", key, "', got ", object.type_name(), " (", place, ")"));
  const auto found = object.find(key);
  if (found == object.end()) throw DataError(str("report: '", key, "' is missing (", place, ")"));
  if (!kind.holds(*found))
    throw DataError(str("report: '", key, "' must be ", kind.name, ", got ",
                        excerpt(found->dump(-1, ' ', false, json::error_handler_t::replace)), " (", place, ")"));
  return *found;
}

}  // namespace

std::string text_field(const json& object, const char* key, const std::string& place) {
  return field(object, key, {"text", [](const json& value) { return value.is_string(); }}, place).get<std::string>();
}

std::int64_t integer_field(const json& object, const char* key, const std::string& place) {
  const Kind kind{"an integer", [](const json& value) { return value.is_number_integer(); }};
  return field(object, key, kind, place).get<std::int64_t>();
}

double number_field(const json& object, const char* key, const std::string& place) {
  const Kind kind{"a finite number",
                  [](const json& value) { return value.is_number() && std::isfinite(value.get<double>()); }};
  return field(object, key, kind, place).get<double>();
}

bool truth_field(const json& object, const char* key, const std::string& place) {
  return field(object, key, {"true or false", [](const json& value) { return value.is_boolean(); }}, place).get<bool>();
}

const json& list_field(const json& object, const char* key, const std::string& place) {
  return field(object, key, {"a list", [](const json& value) { return value.is_array(); }}, place);
}

}  // namespace coterie::report
