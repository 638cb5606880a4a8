// Rankings and judgements as TREC knows them: which documents were found for each query, and which are relevant.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/file_ops.h"

namespace coterie::eval {

/// A document found for a query.
struct Found {
  std::string document;
  float score = 0;  ///< fp32, as in trec_eval: what differs less is a tie
  friend bool operator==(const Found&, const Found&) = default;
};

/// The documents found for each query, best first.
struct Ranking {
  std::map<std::string, std::vector<Found>> queries;
};

/// The grade of each judged document of each query: relevant from 1 up.
struct Qrels {
  std::map<std::string, std::map<std::string, std::int64_t>> queries;
};

/// Whether trec_eval ranks `x` before `y`: by score from the highest, ties by document id from the last in the order of
/// bytes. Ranks that a run file states do not count.
[[nodiscard]] bool ranks_before(const Found& x, const Found& y);

/// Reads a run file: `query Q0 document rank score tag` between blanks. Documents are put in order.
/// @throws IoError; DataError with file and line: not six words, a score that is no finite number, a document that
///         stands twice for a query
[[nodiscard]] Ranking read_run(const std::filesystem::path& path);

/// Reads judgements as `data::read_judgements` does.
/// @throws as that; DataError if a document has two grades for one query, or if there is none
[[nodiscard]] Qrels read_qrels(const std::filesystem::path& path);

/// Writes a run file; scores read back as the same fp32 numbers.
/// @param tag  the name of the system, the last column; blanks become `_`
/// @throws DataError if an id is empty or has a blank in it; IoError
void write_run(FileOps& ops, const std::filesystem::path& path, const Ranking& run, const std::string& tag);

/// Writes judgements in TREC's form.
/// @throws as `write_run`
void write_qrels(FileOps& ops, const std::filesystem::path& path, const Qrels& qrels);

}  // namespace coterie::eval
