#include "config/value.h"

#include <utility>

#include "base/excerpt.h"
#include "config/spelling.h"

namespace coterie::config {
namespace {

struct Show {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return toml_number(value); }
  std::string operator()(const std::string& value) const { return excerpt(value, kExcerptBytes); }
  std::string operator()(const Date& value) const { return value.text + " (a date or time)"; }
  std::string operator()(const Value::List&) const { return "a list"; }
  std::string operator()(const Value::Table&) const { return "a table"; }
};

}  // namespace

std::string show(const Value& value) { return std::visit(Show{}, value.data); }

void merge(Value& under, Value over) {
  Value::Table* const into = under.table();
  Value::Table* const from = over.table();
  if (into == nullptr || from == nullptr) {
    under = std::move(over);
    return;
  }
  for (auto& [key, value] : *from) {
    const auto found = into->find(key);
    if (found == into->end())
      into->emplace(key, std::move(value));
    else
      merge(found->second, std::move(value));
  }
}

}  // namespace coterie::config
