// How names of a study find their rows.
#include "sweep/rows.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/excerpt.h"

namespace coterie::sweep {
namespace {

using Ending = std::string;

/// A row that others may name.
struct Row {
  std::string name;
  Ending ending;  // what the command line appended to the study's name
};

bool is_in(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Whether a rule of `skip` can be read without the command line: it may be about keys or values that only that has.
bool holds_alone(StudyOptions study, const std::string& rule) {
  study.skip = {rule};
  try {
    (void)expand(study, {});
    return true;
  } catch (const ConfigError&) {
    return false;
  }
}

/// The cells of the study as its file has them.
std::vector<std::string> cells_alone(StudyOptions study) {
  std::erase_if(study.skip, [&](const std::string& rule) { return !holds_alone(study, rule); });
  std::vector<std::string> names;
  for (const Cell& cell : expand(study, {})) names.push_back(cell.name);
  return names;
}

/// The rows of a sweep by the names that a study has for them.
class Names {
 public:
  /// @param alone  those that the study has without the command line
  Names(std::vector<Row> rows, std::vector<std::string> alone) : rows_(std::move(rows)), alone_(std::move(alone)) {}

  void add(Row row) { rows_.push_back(std::move(row)); }
  void add_alone(std::string name) { alone_.push_back(std::move(name)); }

  /// With which it is a row; none but the empty one if it is there itself, none at all if the command line took away
  /// what it stands for.
  /// @throws ConfigError if the study has no such row either
  [[nodiscard]] std::set<Ending> endings_of(const std::string& name, std::string_view said_by) const {
    std::set<Ending> endings;
    std::vector<std::string> names;
    for (const Row& row : rows_) {
      if (row.name == name) return {""};
      if (row.name == name + row.ending) endings.insert(row.ending);
      names.push_back(row.name);
    }
    if (endings.empty() && !is_in(alone_, name))
      throw ConfigError(str("sweep: ", said_by, " must be one of ", joined(names, " | "), ", got '", name, "'"));
    return endings;
  }

  /// For each ending that all names have, the rows that they stand for; what has none goes with any.
  [[nodiscard]] std::map<Ending, std::vector<std::string>> together(const std::vector<std::string>& names,
                                                                    std::string_view said_by) const {
    std::vector<std::set<Ending>> endings;
    std::set<Ending> common = {""};
    for (const std::string& name : names) {
      endings.push_back(endings_of(name, said_by));
      if (endings.back() == std::set<Ending>{""}) continue;
      if (common == std::set<Ending>{""})
        common = endings.back();
      else
        std::erase_if(common, [&](const Ending& ending) { return !endings.back().contains(ending); });
    }
    std::map<Ending, std::vector<std::string>> found;
    for (const Ending& ending : common)
      for (std::size_t i = 0; i < names.size(); ++i)
        found[ending].push_back(endings[i].contains(ending) ? names[i] + ending : names[i]);
    return found;
  }

  [[nodiscard]] const std::vector<Row>& rows() const noexcept { return rows_; }

 private:
  std::vector<Row> rows_;
  std::vector<std::string> alone_;
};

std::string left_out(const std::string& text) {
  return str("the arguments leave no cells for a row of the table, which is left out: ", text);
}

void add_composed(Rows& out, Names& names, const std::vector<std::string>& texts) {
  // Of cells: a composed row is no part of another.
  const Names cells = names;
  for (const std::string& text : texts) {
    const Named row = named(text, "sweep.composed");
    if (row.settings.empty())
      throw ConfigError(str("sweep: sweep.composed must name a cell for each domain, got ", excerpt(text)));
    std::vector<std::string> parts;
    for (const Setting& part : row.settings) parts.push_back(part.value);
    names.add_alone(row.name);
    const auto found = cells.together(parts, "sweep.composed");
    if (found.empty()) out.warnings.push_back(left_out(text));
    for (const auto& [ending, cells_of_parts] : found) {
      Composed& composed = out.composed.emplace_back(Composed{row.name + ending, row.settings});
      for (std::size_t i = 0; i < parts.size(); ++i) composed.parts[i].value = cells_of_parts[i];
      names.add({composed.name, ending});
    }
  }
}

void add_contrasts(Rows& out, const Names& names, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    constexpr std::string_view kBetween = " vs ";
    const std::size_t at = text.find(kBetween);
    if (at == std::string::npos)
      throw ConfigError(str("sweep: sweep.contrasts must be 'name vs name', got ", excerpt(text)));
    const auto found = names.together({text.substr(0, at), text.substr(at + kBetween.size())}, "sweep.contrasts");
    if (found.empty()) out.warnings.push_back(left_out(text));
    for (const auto& [ending, sides] : found) out.contrasts.push_back({sides[0], sides[1]});
  }
}

void add_baselines(Rows& out, const Names& names, const std::string& named, const std::string& first_cell) {
  out.baseline = named.empty() ? first_cell : named;
  std::set<Ending> endings = names.endings_of(out.baseline, "sweep.baseline");
  if (endings.empty()) {
    out.warnings.push_back(
        str("the arguments leave no cells for the baseline '", named, "'; it is '", first_cell, "'"));
    out.baseline = first_cell;
    endings = {""};
  }
  const auto first = std::find_if(names.rows().begin(), names.rows().end(),
                                  [&](const Row& row) { return row.name == out.baseline + row.ending; });
  for (const Row& row : names.rows()) {
    if (endings.contains(row.ending))
      out.baselines[row.name] = out.baseline + row.ending;
    else if (endings.contains(""))
      out.baselines[row.name] = out.baseline;
    else if (row.ending.empty())
      out.baselines[row.name] = first->name;
  }
}

}  // namespace

Rows rows_of(const StudyOptions& study, const std::vector<Cell>& cells, const References& references) {
  std::vector<Row> rows;
  for (const Cell& cell : cells)
    if (rows.empty() || rows.back().name != cell.name) rows.push_back({cell.name, cell.ending});
  Names names(std::move(rows), cells_alone(study));
  Rows out;
  add_composed(out, names, study.composed);
  for (const std::string& name : references.now) names.add({name, ""});
  for (const std::string& name : references.in_the_file) names.add_alone(name);
  add_contrasts(out, names, study.contrasts);
  add_baselines(out, names, study.baseline, cells.front().name);
  return out;
}

}  // namespace coterie::sweep
