#include "sweep/cells.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/sha256.h"
#include "config/argument.h"

namespace coterie::sweep {
namespace {

constexpr std::size_t kMostCells = 10000;
constexpr std::size_t kMostNameBytes = 120;

struct Axis {
  std::string key;
  std::vector<std::string> values;
};

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.,=+-").find(c) != std::string_view::npos;
}

std::vector<Setting> settings_of(const std::string& text, std::string_view source) {
  std::istringstream words(text);
  std::vector<Setting> settings;
  for (std::string word; words >> word;) settings.push_back(setting_of(word, source));
  return settings;
}

Axis axis_of(const Setting& setting, std::string_view source) {
  Axis axis{setting.key, config::alternatives(setting.value)};
  if (std::find(axis.values.begin(), axis.values.end(), "") != axis.values.end())
    throw ConfigError(str("sweep: ", source, " must list values, got ", excerpt(setting.text()), " with an empty one"));
  if (std::set<std::string>(axis.values.begin(), axis.values.end()).size() < axis.values.size())
    throw ConfigError(str("sweep: ", source, " must list each value once, got ", excerpt(setting.text())));
  return axis;
}

template <class Settings>
auto find_key(Settings& settings, std::string_view key) {
  return std::find_if(settings.begin(), settings.end(), [&](const auto& s) { return s.key == key; });
}

std::vector<Named> named_cells(const StudyOptions& study) {
  if (study.cells.empty()) return {Named{}};
  std::vector<Named> cells;
  for (const std::string& text : study.cells) {
    Named cell = named(text, "a cell");
    const auto same = [&](const Named& other) { return other.name == cell.name; };
    if (std::any_of(cells.begin(), cells.end(), same))
      throw ConfigError(str("sweep: cells must have different names, got '", cell.name, "' twice"));
    cells.push_back(std::move(cell));
  }
  return cells;
}

/// Axes of the study, then of the command line, then seeds; and the settings for all cells.
struct Layout {
  std::vector<Axis> axes;
  std::set<std::string> added;  // keys of the axes that only the command line has
  std::vector<Setting> fixed;
};

Layout layout_of(const StudyOptions& study, const std::vector<std::string>& settings) {
  Layout layout;
  for (const std::string& text : study.grid) {
    Axis axis = axis_of(setting_of(text, "grid"), "grid");
    if (find_key(layout.axes, axis.key) != layout.axes.end())
      throw ConfigError(str("sweep: grid must name a key once, got '", axis.key, "' twice"));
    layout.axes.push_back(std::move(axis));
  }
  for (const std::string& text : settings) {
    const Setting setting = setting_of(text, "an argument");
    Axis axis = axis_of(setting, "an argument");
    const auto known = find_key(layout.axes, axis.key);
    if (known != layout.axes.end())
      *known = std::move(axis);
    else if (axis.values.size() > 1 || axis.key == "seed") {
      layout.added.insert(axis.key);
      layout.axes.push_back(std::move(axis));
    } else
      layout.fixed.push_back(setting);
  }
  // Seeds last: they repeat a combination, and what belongs together runs together.
  std::stable_partition(layout.axes.begin(), layout.axes.end(), [](const Axis& axis) { return axis.key != "seed"; });
  return layout;
}

void expect_no_conflict(const Layout& layout, const std::vector<Named>& cells) {
  for (const Setting& fixed : layout.fixed)
    for (const Named& cell : cells)
      if (find_key(cell.settings, fixed.key) != cell.settings.end())
        throw ConfigError(str("sweep: ", fixed.key, " must be left to the cell '", cell.name, "', which sets it, got ",
                              excerpt(fixed.text())));
}

/// A combination that is left out: each key with the values for which it is.
using Rule = std::vector<Axis>;

/// The values that each key may have, those that the command line replaced too; `cell` is a key.
std::map<std::string, std::set<std::string>> known_values(const StudyOptions& study, const Layout& layout,
                                                          const std::vector<Named>& cells) {
  std::map<std::string, std::set<std::string>> known;
  const auto add = [&](const Axis& axis) { known[axis.key].insert(axis.values.begin(), axis.values.end()); };
  for (const std::string& text : study.grid) add(axis_of(setting_of(text, "grid"), "grid"));
  for (const Axis& axis : layout.axes) add(axis);
  for (const Setting& fixed : layout.fixed) known[fixed.key].insert(fixed.value);
  for (const Named& cell : cells) {
    known["cell"].insert(cell.name);
    for (const Setting& setting : cell.settings) known[setting.key].insert(setting.value);
  }
  return known;
}

std::vector<Rule> rules_of(const StudyOptions& study, const Layout& layout, const std::vector<Named>& cells) {
  const auto known = known_values(study, layout, cells);
  std::vector<Rule> rules;
  for (const std::string& text : study.skip) {
    Rule rule;
    for (const Setting& setting : settings_of(text, "skip")) {
      const auto values = known.find(setting.key);
      if (values == known.end())
        throw ConfigError(str("sweep: skip must name keys that the sweep sets, got '", setting.key, "'"));
      rule.push_back(axis_of(setting, "skip"));
      for (const std::string& value : rule.back().values)
        if (!values->second.contains(value))
          throw ConfigError(str("sweep: skip must name values that cells have, ", joined(values->second, " | "),
                                ", got '", value, "' for ", setting.key));
    }
    if (rule.empty()) throw ConfigError("sweep: skip must name a combination, got an empty one");
    rules.push_back(std::move(rule));
  }
  return rules;
}

bool matches(const Rule& rule, const std::string& cell, const std::vector<Setting>& settings) {
  return std::all_of(rule.begin(), rule.end(), [&](const Axis& part) {
    const auto last = std::find_if(settings.rbegin(), settings.rend(),
                                   [&](const Setting& setting) { return setting.key == part.key; });
    if (part.key != "cell" && last == settings.rend()) return false;
    const std::string& value = part.key == "cell" ? cell : last->value;
    return std::find(part.values.begin(), part.values.end(), value) != part.values.end();
  });
}

/// The n-th combination of the axes, the last fastest.
std::vector<Setting> combination(const std::vector<Axis>& axes, std::size_t n) {
  std::vector<Setting> settings(axes.size());
  for (std::size_t i = axes.size(); i-- > 0;) {
    settings[i] = {axes[i].key, axes[i].values[n % axes[i].values.size()]};
    n /= axes[i].values.size();
  }
  return settings;
}

Cell make_cell(const std::string& name, const std::vector<Setting>& all, const std::vector<Setting>& varied,
               const std::set<std::string>& added) {
  Cell cell{.name = name, .ending = {}, .seed = {}, .folder = {}, .settings = {}, .ranks = {}};
  for (const Setting& setting : varied) {
    if (setting.key == "seed") {
      cell.seed = setting.value;
      continue;
    }
    const std::string text = str(cell.name.empty() ? "" : ",", setting.text());
    cell.name += text;
    if (added.contains(setting.key)) cell.ending += text;
  }
  for (const Setting& setting : all) {
    if (setting.key == "ranks")
      cell.ranks = setting.value;
    else
      cell.settings.push_back(setting.text());
  }
  if (cell.name.empty()) cell.name = "all";
  cell.folder = plain_name(cell.seed.empty() ? cell.name : cell.name + ",seed=" + cell.seed);
  return cell;
}

std::size_t combinations(const std::vector<Axis>& axes) {
  std::size_t count = 1;
  for (const Axis& axis : axes) {
    count *= axis.values.size();
    if (count > kMostCells) return count;
  }
  return count;
}

}  // namespace

Setting setting_of(std::string_view text, std::string_view source) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size())
    throw ConfigError(str("sweep: ", source, " must be key=value, got ", excerpt(text)));
  return {std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

Named named(const std::string& text, std::string_view source) {
  const std::size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const bool plain =
      !name.empty() && std::all_of(name.begin(), name.end(), is_plain) && name.find_first_of(",=") == std::string::npos;
  if (colon == std::string::npos || !plain)
    throw ConfigError(str("sweep: ", source, " must be 'name: key=value ...' with a plain name, got ", excerpt(text)));
  return {name, settings_of(text.substr(colon + 1), source)};
}

std::vector<Cell> expand(const StudyOptions& study, const std::vector<std::string>& settings) {
  const std::vector<Named> named = named_cells(study);
  const Layout layout = layout_of(study, settings);
  expect_no_conflict(layout, named);
  const std::vector<Rule> rules = rules_of(study, layout, named);
  const std::size_t each = combinations(layout.axes);
  if (named.size() > kMostCells / each)
    throw ConfigError(str("sweep: at most ", kMostCells, " cells are run, got ", named.size(), " x ", each));
  std::vector<Cell> cells;
  for (const Named& cell : named)
    for (std::size_t n = 0; n < each; ++n) {
      const std::vector<Setting> varied = combination(layout.axes, n);
      std::vector<Setting> all = layout.fixed;
      all.insert(all.end(), cell.settings.begin(), cell.settings.end());
      all.insert(all.end(), varied.begin(), varied.end());
      const bool skipped =
          std::any_of(rules.begin(), rules.end(), [&](const Rule& rule) { return matches(rule, cell.name, all); });
      if (!skipped) cells.push_back(make_cell(cell.name, all, varied, layout.added));
    }
  if (cells.empty()) throw ConfigError("sweep: every combination is skipped, none is left to run");
  return cells;
}

std::string plain_name(const std::string& text) {
  std::string name = text;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !is_plain(c); }, '_');
  if (name.size() > kMostNameBytes) name.resize(kMostNameBytes);
  const bool dots = name.find_first_not_of('.') == std::string::npos;
  return name == text && !dots ? name : str(name, "-", sha256_of(text).substr(0, 8));
}

}  // namespace coterie::sweep
