#include "config/reader.h"

#include <algorithm>
#include <optional>

#include "base/excerpt.h"
#include "base/str.h"
#include "config/spelling.h"

namespace coterie::config {
namespace {

/// A list item as text: numbers are taken as they are written in their shortest form.
std::optional<std::string> item_text(const Value& value) {
  if (const auto* text = value.string()) return *text;
  if (const auto* integer = std::get_if<std::int64_t>(&value.data)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value.data)) return toml_number(*number);
  return std::nullopt;
}

/// A choice as text: true and false may be names.
std::optional<std::string> choice_text(const Value& value) {
  if (const auto* text = value.string()) return *text;
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag ? "true" : "false";
  return std::nullopt;
}

template <class Number>
bool within(Number value, const Bounds<Number>& bounds) {
  return value >= bounds.min && value <= bounds.max;  // never true of a NaN
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Reader::Reader(const Tree& tree) : open_{{"", tree.root().table()}}, tree_(tree) {
  for (const std::string& problem : tree.problems()) problems_.add(problem);
}

void Reader::field(std::string_view name, bool& value, std::string_view) {
  const Value* const found = find(name);
  const bool* const read = found ? std::get_if<bool>(&found->data) : nullptr;
  if (read) value = *read;
  if (found && !read) return problems_.add(key_, "must be true or false");
  if (!found) problems_.record(key_, value ? "true" : "false", "default");
}

void Reader::field(std::string_view name, std::int64_t& value, std::string_view, Bounds<std::int64_t> bounds) {
  const Value* const found = find(name);
  if (!found) return problems_.record(key_, std::to_string(value), "default");
  const auto* const read = std::get_if<std::int64_t>(&found->data);
  if (!read) return problems_.add(key_, "must be an integer");
  if (!within(*read, bounds)) return problems_.add(key_, str("must be ", range_text(bounds)));
  value = *read;
}

void Reader::field(std::string_view name, double& value, std::string_view, Bounds<double> bounds) {
  const Value* const found = find(name);
  if (!found) return problems_.record(key_, toml_number(value), "default");
  double read = 0.0;
  if (const auto* const number = std::get_if<double>(&found->data))
    read = *number;
  else if (const auto* const integer = std::get_if<std::int64_t>(&found->data))
    read = static_cast<double>(*integer);
  else
    return problems_.add(key_, "must be a number");
  const std::string range = range_text(bounds);
  if (!within(read, bounds)) return problems_.add(key_, str("must be ", range.empty() ? "a finite number" : range));
  value = read;
}

void Reader::field(std::string_view name, std::string& value, std::string_view) {
  const Value* const found = find(name);
  if (!found) return problems_.record(key_, excerpt(value, kExcerptBytes), "default");
  if (!found->string()) return problems_.add(key_, "must be a string");
  value = *found->string();
}

void Reader::field(std::string_view name, std::vector<std::string>& value, std::string_view) {
  const Value* const found = find(name);
  if (!found) return problems_.record(key_, "a list", "default");
  const Value::List single{*found};
  const Value::List& list = found->list() ? *found->list() : single;
  std::vector<std::string> read;
  for (const Value& item : list) {
    const auto text = item_text(item);
    if (!text) {
      const std::string holds = found->list() ? "a list with " : "";
      problems_.record(key_, holds + show(item), item.origin.text);
      return problems_.add(key_, "must be a list of strings");
    }
    read.push_back(*text);
  }
  value = std::move(read);
}

void Reader::do_choice(std::string_view name, std::size_t& index, std::span<const std::string_view> names,
                       std::string_view) {
  const Value* const found = find(name);
  if (!found) return problems_.record(key_, str("'", names[index], "'"), "default");
  const std::optional<std::string> text = choice_text(*found);
  const auto at = text ? std::find(names.begin(), names.end(), *text) : names.end();
  if (at == names.end()) return problems_.add(key_, str("must be one of ", joined(names)));
  index = static_cast<std::size_t>(at - names.begin());
}

void Reader::enter(std::string_view name, std::string_view, std::size_t) {
  const std::string key = open_.back().prefix + std::string(name);
  const Value::Table* const around = open_.back().table;
  sections_.push_back(key);
  open_.push_back({key + ".", nullptr});
  const auto found = around ? around->find(name) : Value::Table::const_iterator{};
  if (!around || found == around->end()) return;
  const Value& value = found->second;
  open_.back().table = value.table();
  if (value.table()) return;
  if (value.origin.kind == Origin::Kind::argument && value.string())
    problems_.add(str("unknown key '", key, "' (", value.origin.text, "); no entry of defaults is of the group '", key,
                      "', and a section takes no value"));
  else
    problems_.add(str(key, " is ", show(value), ", must be a table (", value.origin.text, ")"));
}

void Reader::leave() { open_.pop_back(); }

void Reader::check_unknown_keys() {
  std::vector<std::string> known = fields_;
  known.insert(known.end(), sections_.begin(), sections_.end());
  check_table(*tree_.root().table(), "", known);
}

/// The value of a field, recorded; null where the config has none.
const Value* Reader::find(std::string_view name) {
  const Section& section = open_.back();
  key_ = section.prefix + std::string(name);
  fields_.push_back(key_);
  if (!section.table) return nullptr;
  const auto found = section.table->find(name);
  if (found == section.table->end()) return nullptr;
  problems_.record(key_, show(found->second), found->second.origin.text);
  return &found->second;
}

void Reader::check_table(const Value::Table& table, const std::string& prefix, const std::vector<std::string>& known) {
  for (const auto& [name, value] : table) {
    const std::string key = prefix + name;
    if (contains(fields_, key)) continue;
    if (contains(sections_, key)) {
      if (value.table()) check_table(*value.table(), key + ".", known);
      continue;
    }
    const std::string nearest = nearest_name(key, known);
    problems_.add(str("unknown key ", excerpt(key, kExcerptBytes), " (", value.key_origin, ")",
                      nearest.empty() ? "" : str("; did you mean '", nearest, "'?")));
  }
}

}  // namespace coterie::config
