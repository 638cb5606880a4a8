// Numbers in JSON by the names on the way to them.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace coterie {

/// The number at a path such as `validation.cisi.roc_auc`; none if there is no number. A name may hold dots itself.
[[nodiscard]] inline std::optional<double> number_at(const nlohmann::json& object, std::string_view path) {
  if (object.is_number() && path.empty()) return object.get<double>();
  if (!object.is_object()) return std::nullopt;
  for (const auto& [key, value] : object.items()) {
    if (!path.starts_with(key)) continue;
    std::string_view rest = path.substr(key.size());
    if (!rest.empty() && rest.front() != '.') continue;
    if (!rest.empty()) rest.remove_prefix(1);
    if (const auto found = number_at(value, rest)) return found;
  }
  return std::nullopt;
}

}  // namespace coterie
