#include "cli/command_line.h"

#include <algorithm>

#include "base/error.h"

namespace coterie::cli {
namespace {

bool is_setting(const std::string& argument) {
  const std::size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  return std::all_of(argument.begin(), argument.begin() + static_cast<std::ptrdiff_t>(equals), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

}  // namespace

void CommandLine::sort(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) (is_setting(argument) ? settings : positional).push_back(argument);
}

void CommandLine::expect(std::size_t least, std::size_t most, const std::string& usage) const {
  if (positional.size() >= least && positional.size() <= most) return;
  throw ConfigError(str("arguments: ", least == most ? str(least) : str(least, " to ", most),
                        " expected before the settings, got ", positional.size(), " (usage: coterie ", usage, ")"));
}

}  // namespace coterie::cli
