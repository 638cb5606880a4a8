#include "config/problems.h"

#include <utility>

#include "base/error.h"

namespace coterie::config {

void Problems::add(std::string text) { problems_.push_back(std::move(text)); }

void Problems::add(std::string_view key, std::string_view must) {
  const auto found = read_.find(key);
  COTERIE_CHECK(ShapeError, found != read_.end(), "config: a problem must name a key of the options, got '", key, "'");
  Read& read = found->second;
  if (std::exchange(read.wrong, true)) return;
  problems_.push_back(str(key, " is ", read.value, ", ", must, " (", read.origin, ")"));
}

void Problems::record(const std::string& key, std::string value, std::string origin) {
  read_.insert_or_assign(key, Read{std::move(value), std::move(origin)});
}

void Problems::throw_if_any() const {
  if (problems_.empty()) return;
  std::string text = str("config: ", problems_.size(), problems_.size() == 1 ? " problem" : " problems");
  for (const std::string& problem : problems_) text += "\n  " + problem;
  throw ConfigError(text);
}

}  // namespace coterie::config
