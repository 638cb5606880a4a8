// From the options of a sweep to its cells: named combinations x grid x seeds, less what is skipped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sweep/options.h"

namespace coterie::sweep {

/// One run of a sweep.
struct Cell {
  std::string name;                   ///< the combination, the same for all its seeds: `dense,optim.lr=1e-3`
  std::string ending;                 ///< the end of `name` that axes of the command line gave: `,optim.lr=1e-3`
  std::string seed;                   ///< as the axis `seed` writes it; empty if there is none
  std::string folder;                 ///< below the sweep's: name and seed, as a plain file name
  std::vector<std::string> settings;  ///< `key=value`, to be laid over the config file; `ranks` is not among them
  std::string ranks;                  ///< as the key `ranks` writes it; empty if nothing does
};

/// `key=value`, taken apart at the first '='.
struct Setting {
  std::string key;
  std::string value;

  [[nodiscard]] std::string text() const { return key + "=" + value; }
};

/// @param source  who says so, for the message: `grid`
/// @throws ConfigError unless the text is `key=value` with both filled
[[nodiscard]] Setting setting_of(std::string_view text, std::string_view source);

/// `name: key=value ...`, taken apart.
struct Named {
  std::string name;
  std::vector<Setting> settings;
};

/// @param source  who says so, for the message: `a cell`
/// @throws ConfigError unless the text can be read so, with a name of letters, digits and `_.+-`
[[nodiscard]] Named named(const std::string& text, std::string_view source);

/// The cells in the order of their job numbers: cells outermost, seeds fastest.
///
/// `settings` are those of the command line. One with several values is an axis; one for an axis of the study replaces
/// its values; any other holds for all cells, before their own.
///
/// @throws ConfigError if a combination cannot be read, a name is no plain word or there twice, an axis has a value
///         twice, a setting for all cells is one of a named cell's own, `skip` names a key that no cell sets or a value
///         that none can have, nothing is left, or there are more than 10 000
[[nodiscard]] std::vector<Cell> expand(const StudyOptions& study, const std::vector<std::string>& settings);

/// A text as a plain file name: characters other than letters, digits and `_.,=+-` become `_`, and a hash is appended
/// where that, or cutting at 120 bytes, could make two texts equal.
[[nodiscard]] std::string plain_name(const std::string& text);

}  // namespace coterie::sweep
