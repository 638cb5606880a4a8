#include "cli/command_line.h"

#include <algorithm>

#include "base/error.h"
#include "base/excerpt.h"

namespace coterie::cli {
namespace {

bool is_setting(const std::string& argument) { return argument.find('=') < argument.find('/'); }

bool is_plain(char c) {
  constexpr std::string_view kPlain = "_./=:,+@%^-";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kPlain.find(c) != std::string_view::npos;
}

// `text` with `escape` before every character of `special`.
std::string escaped(std::string_view text, std::string_view special, std::string_view escape) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += escape;
    out += c;
  }
  return out;
}

}  // namespace

void CommandLine::sort(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) (is_setting(argument) ? settings : positional).push_back(argument);
}

void CommandLine::expect(std::size_t least, std::size_t most) const {
  if (positional.size() >= least && positional.size() <= most) return;
  throw ConfigError(str("arguments: ", least == most ? str(least) : str(least, " to ", most),
                        " expected before the settings, got ", positional.size(), " (usage: coterie ", command, " ",
                        usage, ")"));
}

bool CommandLine::sets(const std::string& key) const {
  return std::any_of(settings.begin(), settings.end(),
                     [&](const std::string& setting) { return setting.starts_with(key + "="); });
}

std::string shell_quoted(std::string_view word) {
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return std::string(word);
  if (printable(word) != word) return str("$'", printable(escaped(word, "\\'", "\\")), "'");
  return str("'", escaped(word, "'", "'\\'"), "'");
}

}  // namespace coterie::cli
