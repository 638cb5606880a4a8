#include "config/argument.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/utf8.h"
#include "config/document.h"
#include "config/spelling.h"

namespace coterie::config {
namespace {

/// What a right-hand side contains outside brackets and quotes.
struct Outside {
  std::vector<std::size_t> commas;  ///< where
  bool other = false;               ///< a comment or a new line, neither of which belongs to one value
};

/// A quote opens a string only where a value may begin, so that the apostrophe of `it's` is a letter.
Outside scan(std::string_view text) {
  Outside found;
  int depth = 0;
  bool begins = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (begins && (c == '"' || c == '\'')) {
      for (++i; i < text.size() && text[i] != c; ++i)
        if (c == '"' && text[i] == '\\') ++i;
      begins = false;
      continue;
    }
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (c == ',' && depth == 0) found.commas.push_back(i);
    if (c == '#' || (c == '\n' && depth == 0)) found.other = true;
    begins = c == ',' || c == '[' || c == '{' || c == '=' || (begins && c == ' ');
  }
  return found;
}

std::vector<std::string> split_at_dots(std::string_view key) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= key.size();) {
    const std::size_t end = std::min(key.find('.', begin), key.size());
    parts.emplace_back(key.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// What is wrong with the key, or nothing.
std::string key_problem(const std::vector<std::string>& path) {
  if (std::any_of(path.begin(), path.end(), [](const std::string& part) { return part.empty(); }))
    return "has an empty key, must be key=value";
  if (path.size() > static_cast<std::size_t>(kMaxNesting)) return str("nests deeper than ", kMaxNesting, " levels");
  return {};
}

/// The value of a right-hand side.
/// @throws ConfigError with what it must be
Value right_hand_side(const std::string& text, const Origin& origin) {
  if (text.empty()) throw ConfigError("must have a value; the empty string is ''");
  const Outside outside = scan(text);
  if (!outside.commas.empty())
    throw ConfigError("must be one value; only `coterie sweep` takes lists, and a string with a comma needs quotes");
  std::string reason = "comments and new lines do not belong to it";
  if (!outside.other) {
    try {
      Value value = parse_value(text, origin);
      if (std::holds_alternative<Date>(value.data)) value.data = text;
      return value;
    } catch (const ConfigError& error) {
      reason = error.what();
    }
  }
  if (std::string_view("[{\"'").find(text[0]) != std::string_view::npos)
    throw ConfigError(str("must be a TOML value (strings inside brackets need quotes): ", reason));
  return {.data = text, .origin = origin, .key_origin = origin.text};
}

}  // namespace

std::vector<std::string> alternatives(std::string_view right) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (const std::size_t comma : scan(right).commas) {
    parts.emplace_back(right.substr(begin, comma - begin));
    begin = comma + 1;
  }
  parts.emplace_back(right.substr(begin));
  return parts;
}

Argument parse_argument(const std::string& text) {
  const Origin origin{.kind = Origin::Kind::argument, .text = str("argument ", excerpt(text, kExcerptBytes))};
  const std::size_t equals = text.find('=');
  Argument out;
  if (!is_utf8(text)) {
    out.problem = origin.text + " is not UTF-8";
    return out;
  }
  if (equals == std::string::npos) {
    out.problem = origin.text + " has no '=', must be key=value";
    return out;
  }
  const std::string key = text.substr(0, equals);
  out.path = split_at_dots(key);
  if (const std::string problem = key_problem(out.path); !problem.empty()) {
    out.problem = origin.text + " " + problem;
    return out;
  }
  const std::string right = text.substr(equals + 1);
  try {
    out.value = right_hand_side(right, origin);
    out.value.key_origin = origin.text;
  } catch (const ConfigError& error) {
    out.problem = str(printable(key.substr(0, kExcerptBytes)), " is ", excerpt(right, kExcerptBytes), ", ",
                      error.what(), " (", origin.text, ")");
  }
  return out;
}

}  // namespace coterie::config
