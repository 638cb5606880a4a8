// The rows of a sweep's table that are not cells, and how a study's names find theirs where the command line has
// further axes, or fewer values.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sweep/cells.h"

namespace coterie::sweep {

/// A row of the table that is made of several cells.
struct Composed {
  std::string name;
  std::vector<Setting> parts;  ///< domain or collection = name of the cell whose measures count for it
};

/// A row of the table that says what one row has more than another.
struct Contrast {
  std::string name;
  std::string other;

  [[nodiscard]] std::string text() const { return name + " vs " + other; }
};

/// Whether `name` stands for a cell: it is its name, at least without axes that only the command line has.
[[nodiscard]] inline bool stands_for(const std::string& name, const Cell& cell) {
  return cell.name == name || cell.name == name + cell.ending;
}

/// What a sweep measures beside its cells.
struct References {
  std::vector<std::string> now;          ///< with the settings of the command line
  std::vector<std::string> in_the_file;  ///< without them
};

/// The rows of a sweep.
struct Rows {
  std::vector<Composed> composed;
  std::vector<Contrast> contrasts;
  std::string baseline;  ///< its name in the study, or that of the first cell
  std::map<std::string, std::string>
      baselines;                      ///< of cells, composed rows and references: the row each is compared with
  std::vector<std::string> warnings;  ///< what the command line took away
};

/// A name of the study stands for itself at each value of an axis that only the command line has: of composed rows and
/// contrasts there is then one for each, and a row is compared with the baseline at its own values. What has none of
/// these axes is compared with the baseline at their first values; where the baseline was skipped at a row's values,
/// that row has none.
///
/// @throws ConfigError if a text cannot be read, or names what neither the sweep nor the study by itself has
[[nodiscard]] Rows rows_of(const StudyOptions& study, const std::vector<Cell>& cells, const References& references);

}  // namespace coterie::sweep
