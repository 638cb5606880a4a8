// Fields of JSON that was read from a file, each of the type that it must have.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace coterie::report {

// Each throws DataError, naming the field and the place, unless `object` is an object with a field of that type.

[[nodiscard]] std::string text_field(const nlohmann::json& object, const char* key, const std::string& place);
[[nodiscard]] std::int64_t integer_field(const nlohmann::json& object, const char* key, const std::string& place);
/// A finite number.
[[nodiscard]] double number_field(const nlohmann::json& object, const char* key, const std::string& place);
[[nodiscard]] bool truth_field(const nlohmann::json& object, const char* key, const std::string& place);
/// An array; it lives as long as `object`.
[[nodiscard]] const nlohmann::json& list_field(const nlohmann::json& object, const char* key, const std::string& place);

}  // namespace coterie::report
