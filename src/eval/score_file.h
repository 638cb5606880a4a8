// The CSV files of `coterie score`: one scored pair a line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace coterie::eval {

/// Scored pairs in the order of the file.
struct ScoreFile {
  std::vector<double> predictions;
  std::vector<std::uint8_t> labels;                        ///< 0 or 1
  std::vector<std::pair<std::string, std::string>> pairs;  ///< columns `a` and `b`, where there are both; else empty
  std::vector<std::string> domains;                        ///< column `domain`, where there is one; else empty

  /// The pairs of one domain.
  [[nodiscard]] ScoreFile of_domain(const std::string& wanted) const;
};

/// Reads the columns `prediction` and `label` of a CSV file with a header line, and `a`, `b` and `domain` where they
/// are there; the columns may stand in any order, others are ignored. Numbers have a decimal point whatever the locale.
///
/// @throws IoError if the file cannot be read; DataError with line and column if a column is missing or there twice, a
///         prediction is not a finite number, a label is neither 0 nor 1, there is no row, or what `Csv` refuses
[[nodiscard]] ScoreFile read_score_file(const std::filesystem::path& path);

}  // namespace coterie::eval
