// Collections for retrieval: documents, queries, and which documents were judged relevant to which query.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/collection.h"

namespace coterie::data {

/// How relevant a document was judged to be to a query: from 1 up it is relevant.
struct Judgement {
  std::uint32_t query = 0;  ///< index into the set's queries
  std::string document;     ///< an id; judgements may name documents that the collection lacks
  std::int64_t grade = 0;
};

/// One collection.
struct RetrievalSet {
  std::string name;                 ///< a domain's name: that of the folder
  std::vector<Document> documents;  ///< in the order of the file, none with a split
  std::vector<Document> queries;    ///< the same, with the split that the files put a query in, if they do
  std::vector<Judgement> judgements;
};

/// Reads `corpus.jsonl`, `queries.jsonl` and what there is of `qrels/train.tsv`, `dev.tsv` and `test.tsv` in a folder
/// of BEIR's form. A document's text is that of `document_text`; it may be empty. The split of a query is the file
/// that judges it; of several the last of train, validation (`dev.tsv`), test, and all its judgements count.
///
/// @throws IoError if a file cannot be read; DataError with file and line for anything malformed, an id that stands
///         twice, a judgement of a query that is not there, or two grades of one document for one query
/// @par Source
/// Thakur et al. 2021 (arXiv:2104.08663), its folders; the grade of a judgement must be an integer.
[[nodiscard]] RetrievalSet read_beir(const std::filesystem::path& folder);

/// Reads the one `*.all`, the one `*.qry` or `query.text`, and the one `*.rel` or `qrels.text` of a folder, in any case
/// of letters: a SMART collection such as CISI or CACM. All records are documents, those without an abstract too. The
/// text of a document or query is its title and `.W`; authors, dates and keywords are not used. Queries have no split.
///
/// @throws as `read_beir`; DataError if one of the three files is missing or there twice
[[nodiscard]] RetrievalSet read_smart_set(const std::filesystem::path& folder);

/// Reads one entry of `eval.retrieval`: `beir:PATH` or `smart:PATH`, a path below `root` or an absolute one.
/// @throws ConfigError if it is neither; what the reader throws
[[nodiscard]] RetrievalSet read_retrieval_set(std::string_view source, const std::filesystem::path& root);

}  // namespace coterie::data
