// The importers, one per format: each reads a path and gives one collection per domain.
#pragma once

#include <filesystem>
#include <vector>

#include "data/collection.h"

namespace coterie::data {

// Every one throws IoError if a file cannot be read and DataError naming file and line for anything malformed.

/// CISI: SMART records whose `.X` lines carry the co-citation weight of each partner.
[[nodiscard]] std::vector<Collection> import_cisi(const std::filesystem::path& file);

/// CACM: SMART records whose `.X` lines of type 6 stand once for every paper that cites both.
[[nodiscard]] std::vector<Collection> import_cacm(const std::filesystem::path& file);

/// The table of IEEE VIS papers: co-citations are derived from its column `References`.
///
/// @param path  the CSV file, or a folder that holds exactly one
[[nodiscard]] std::vector<Collection> import_vis(const std::filesystem::path& path);

/// A screened literature search: a RIS export of the papers and a JSON file with the papers that cite each.
[[nodiscard]] std::vector<Collection> import_cca(const std::filesystem::path& folder);

/// The plain form that any program can write: `documents.jsonl` and `pairs.jsonl`.
///
/// A document is `{"id", "text"}` or `{"id", "title", "abstract"}`, with `"domain"` (the folder's name without one) and
/// `"split"` (`train`, `validation` or `val`, `test`) if wanted; ids are strings or integers and unique in the file. A
/// pair is `{"a", "b"}` with `"weight"` (1 without one). Other fields are ignored. A pair may stand only once, in
/// either direction: adding up would double a graph that lists both directions, so a repetition is an error. Pairs
/// across domains are dropped and counted.
[[nodiscard]] std::vector<Collection> import_plain(const std::filesystem::path& folder);

/// Queries and the documents that are relevant to them, from a folder that `read_beir` reads.
///
/// The pairs are (query, document), weighted by grade; a query's id is `query:ID`. Documents are of every split,
/// queries of the one that judges them. Documents that are relevant to no query are left out.
[[nodiscard]] std::vector<Collection> import_beir(const std::filesystem::path& folder);

/// The same from a folder that `read_smart_set` reads; its queries have no split yet.
[[nodiscard]] std::vector<Collection> import_smart(const std::filesystem::path& folder);

}  // namespace coterie::data
