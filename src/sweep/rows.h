// The rows of a sweep's table that are not cells, and how a study's names find theirs where the command line has
// further axes, or fewer values.
#pragma once

#include <set>
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

/// What is appended to a name of the study where it stands for a row: nothing, or `,key=value` for each axis that only
/// the command line has.
using Ending = std::string;

/// The endings with which a name is one of `rows`: none but the empty one if it is there itself.
[[nodiscard]] std::set<Ending> endings_of(const std::string& name, const std::vector<std::string>& rows);

/// The rows of a sweep.
struct Rows {
  std::vector<Composed> composed;
  std::vector<Contrast> contrasts;
  std::vector<std::string> left_out;  ///< texts of the study that name cells which the command line took away
};

/// A name of the study stands for itself at each value of an axis that only the command line has: of cells and
/// contrasts there is then one for each.
///
/// @param references  what is measured beside the cells
/// @throws ConfigError if a text cannot be read, or names what neither the sweep nor the study by itself has
[[nodiscard]] Rows rows_of(const StudyOptions& study, const std::vector<Cell>& cells,
                           const std::vector<std::string>& references);

/// The name that the baseline has in the study, which stands for a row at each value of further axes; the first cell's
/// where it names none, or one that the command line took away.
/// @throws ConfigError as `rows_of`
[[nodiscard]] std::string baseline_of(const StudyOptions& study, const std::vector<Cell>& cells,
                                      const std::vector<std::string>& references, Rows& rows);

}  // namespace coterie::sweep
