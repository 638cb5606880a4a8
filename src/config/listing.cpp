#include "config/listing.h"

#include <utility>

#include "base/excerpt.h"
#include "base/str.h"
#include "config/spelling.h"

namespace coterie::config {

void Listing::field(std::string_view name, bool& value, std::string_view doc) {
  add({std::string(name), value ? "true" : "false", "true or false", "", std::string(doc)});
}

void Listing::field(std::string_view name, std::int64_t& value, std::string_view doc, Bounds<std::int64_t> bounds) {
  add({std::string(name), std::to_string(value), "integer", range_text(bounds), std::string(doc)});
}

void Listing::field(std::string_view name, double& value, std::string_view doc, Bounds<double> bounds) {
  add({std::string(name), toml_number(value), "number", range_text(bounds), std::string(doc)});
}

void Listing::field(std::string_view name, std::string& value, std::string_view doc) {
  add({std::string(name), toml_string(value), "string", "", std::string(doc)});
}

void Listing::field(std::string_view name, std::vector<std::string>& value, std::string_view doc) {
  add({std::string(name), toml_list(value), "list of strings", "", std::string(doc)});
}

void Listing::do_choice(std::string_view name, std::size_t& index, std::span<const std::string_view> names,
                        std::string_view doc) {
  add({std::string(name), toml_string(names[index]), "choice", "one of " + joined(names), std::string(doc)});
}

void Listing::enter(std::string_view name, std::string_view doc, std::size_t) {
  const std::string& around = sections_[open_.back()].key;
  open_.push_back(sections_.size());
  sections_.push_back({(around.empty() ? "" : around + ".") + std::string(name), std::string(doc), {}});
}

void Listing::leave() { open_.pop_back(); }

void Listing::add(Listed field) { sections_[open_.back()].fields.push_back(std::move(field)); }

std::string print_listing(const Listing& listing, const std::function<std::string(std::string_view)>& origin) {
  std::string out;
  for (const ListedSection& section : listing.sections()) {
    const std::string prefix = section.key.empty() ? "" : section.key + ".";
    if (!section.key.empty()) out += str(out.empty() ? "" : "\n", "[", section.key, "]  # ", section.doc, "\n");
    for (const Listed& field : section.fields)
      out += str(field.name, " = ", field.value, "  # ", field.doc, field.range.empty() ? "" : "; ", field.range, " [",
                 printable(origin(prefix + field.name)), "]\n");
  }
  return out;
}

std::string help_listing(const Listing& listing) {
  std::string out;
  for (const ListedSection& section : listing.sections()) {
    const std::string prefix = section.key.empty() ? "" : section.key + ".";
    if (!section.key.empty()) out += str(out.empty() ? "" : "\n", "# ", section.key, ": ", section.doc, "\n");
    for (const Listed& field : section.fields)
      out += str(prefix, field.name, " = ", field.value, "  # ", field.type, field.range.empty() ? "" : ", ",
                 field.range, "; ", field.doc, "\n");
  }
  return out;
}

std::map<std::string, std::string> values_of(const Listing& listing) {
  std::map<std::string, std::string> values;
  for (const ListedSection& section : listing.sections())
    for (const Listed& field : section.fields)
      values[section.key.empty() ? field.name : section.key + "." + field.name] = field.value;
  return values;
}

std::string differences(const std::map<std::string, std::string>& was, const std::map<std::string, std::string>& now,
                        const std::map<std::string, std::string>& defaults) {
  const auto value = [](const std::map<std::string, std::string>& values, const std::string& key) {
    const auto found = values.find(key);
    return found == values.end() ? "nothing" : found->second;
  };
  std::map<std::string, std::string> keys = was;
  keys.insert(now.begin(), now.end());
  std::string lines;
  for (const auto& [key, any] : keys) {
    const std::string before = value(was.contains(key) ? was : defaults, key);
    if (before != value(now, key)) lines += str("\n  ", key, " was ", before, ", got ", value(now, key));
  }
  return lines;
}

}  // namespace coterie::config
