// Numbers from text and as text, with a decimal point whatever the locale.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace coterie {

/// The finite number that the whole of `text` spells; none where it spells something else, or is out of range.
[[nodiscard]] inline std::optional<double> finite_number(std::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// The shortest text that reads back as the same `Float`.
template <class Float>
[[nodiscard]] std::string exact_text(Float value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

}  // namespace coterie
