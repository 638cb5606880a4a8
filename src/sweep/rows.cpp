#include "sweep/rows.h"

#include <algorithm>

#include "base/error.h"
#include "base/excerpt.h"

namespace coterie::sweep {
namespace {

std::vector<std::string> names_of(const std::vector<Cell>& cells) {
  std::vector<std::string> names;
  for (const Cell& cell : cells)
    if (names.empty() || names.back() != cell.name) names.push_back(cell.name);
  return names;
}

// The rows of the study as its file has them, without the command line.
std::vector<std::string> rows_alone(StudyOptions study) {
  study.skip.clear();  // it may name keys of the command line
  std::vector<std::string> names = names_of(expand(study, {}));
  for (const std::string& text : study.composed) names.push_back(text.substr(0, text.find(':')));
  return names;
}

// Whether the command line took away what `name` stands for; where it is in neither, the config is wrong.
bool is_left_out(const StudyOptions& study, const std::string& name, const std::vector<std::string>& rows,
                 std::string_view said_by) {
  if (!endings_of(name, rows).empty()) return false;
  const std::vector<std::string> alone = rows_alone(study);
  if (std::find(alone.begin(), alone.end(), name) == alone.end())
    throw ConfigError(str("sweep: ", said_by, " must be one of ", joined(rows, " | "), ", got '", name, "'"));
  return true;
}

// The endings that all names have; one that is there itself goes with any.
std::set<Ending> common_endings(const std::vector<std::string>& names, const std::vector<std::string>& rows) {
  std::set<Ending> common = {""};
  for (const std::string& name : names) {
    const std::set<Ending> own = endings_of(name, rows);
    if (own == std::set<Ending>{""}) continue;
    if (common == std::set<Ending>{""})
      common = own;
    else
      std::erase_if(common, [&](const Ending& ending) { return !own.contains(ending); });
  }
  return common;
}

std::string with_ending(const std::string& name, const Ending& ending, const std::vector<std::string>& rows) {
  return endings_of(name, rows).contains(ending) ? name + ending : name;
}

}  // namespace

std::set<Ending> endings_of(const std::string& name, const std::vector<std::string>& rows) {
  if (std::find(rows.begin(), rows.end(), name) != rows.end()) return {""};
  std::set<Ending> endings;
  for (const std::string& row : rows)
    if (row.starts_with(name + ",")) endings.insert(row.substr(name.size()));
  return endings;
}

Rows rows_of(const StudyOptions& study, const std::vector<Cell>& cells, const std::vector<std::string>& references) {
  Rows out;
  std::vector<std::string> rows = names_of(cells);
  const std::vector<std::string> of_cells = rows;
  for (const std::string& text : study.composed) {
    const Named row = named(text, "sweep.composed");
    if (row.settings.empty())
      throw ConfigError(str("sweep: sweep.composed must name a cell for each domain, got ", excerpt(text)));
    std::vector<std::string> parts;
    for (const Setting& part : row.settings) parts.push_back(part.value);
    if (std::any_of(parts.begin(), parts.end(),
                    [&](const std::string& part) { return is_left_out(study, part, of_cells, "sweep.composed"); })) {
      out.left_out.push_back(text);
      continue;
    }
    for (const Ending& ending : common_endings(parts, of_cells)) {
      Composed& composed = out.composed.emplace_back(Composed{row.name + ending, row.settings});
      for (Setting& part : composed.parts) part.value = with_ending(part.value, ending, of_cells);
      rows.push_back(composed.name);
    }
  }
  rows.insert(rows.end(), references.begin(), references.end());
  for (const std::string& text : study.contrasts) {
    constexpr std::string_view kBetween = " vs ";
    const std::size_t at = text.find(kBetween);
    if (at == std::string::npos)
      throw ConfigError(str("sweep: sweep.contrasts must be 'name vs name', got ", excerpt(text)));
    const std::vector<std::string> sides = {text.substr(0, at), text.substr(at + kBetween.size())};
    if (std::any_of(sides.begin(), sides.end(),
                    [&](const std::string& side) { return is_left_out(study, side, rows, "sweep.contrasts"); })) {
      out.left_out.push_back(text);
      continue;
    }
    for (const Ending& ending : common_endings(sides, rows))
      out.contrasts.push_back({with_ending(sides[0], ending, rows), with_ending(sides[1], ending, rows)});
  }
  return out;
}

std::string baseline_of(const StudyOptions& study, const std::vector<Cell>& cells,
                        const std::vector<std::string>& references, Rows& rows) {
  if (study.baseline.empty()) return cells.front().name;
  std::vector<std::string> names = names_of(cells);
  for (const Composed& composed : rows.composed) names.push_back(composed.name);
  names.insert(names.end(), references.begin(), references.end());
  if (!is_left_out(study, study.baseline, names, "sweep.baseline")) return study.baseline;
  rows.left_out.push_back(str("baseline ", study.baseline));
  return cells.front().name;
}

}  // namespace coterie::sweep
