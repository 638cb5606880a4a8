// Files of relevance judgements.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace coterie::data {

/// One line: a judged document of a query.
struct JudgementLine {
  std::string query;
  std::string document;
  std::int64_t grade = 0;  ///< relevant from 1 up
  std::int64_t line = 0;   ///< of the file, from 1
};

/// Reads TREC's form (`query 0 document grade`, divided by blanks) or BEIR's (`query document grade`, divided by tabs,
/// below a header line of three names, which is how the form is told).
///
/// @throws IoError; DataError with file and line: another number of columns, a grade that is no integer
[[nodiscard]] std::vector<JudgementLine> read_judgements(const std::filesystem::path& path);

}  // namespace coterie::data
