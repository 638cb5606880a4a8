// A screened literature search, as the tool co-citation-assist leaves it: RIS records and citing papers.
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/error.h"
#include "base/excerpt.h"
#include "base/file_ops.h"
#include "base/text.h"
#include "data/document_text.h"
#include "data/import_formats.h"
#include "data/import_graph.h"
#include "data/import_json.h"
#include "data/ris.h"

namespace coterie::data {
namespace {

// A DOI as an id: lower case, without the resolver's address.
std::string bare_doi(std::string_view text) {
  std::string doi = ascii_lower(trimmed(text));
  for (const std::string_view prefix :
       {"https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "http://dx.doi.org/"})
    if (doi.starts_with(prefix)) return doi.substr(prefix.size());
  return doi;
}

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : " ") + value;
  return text;
}

using Index = std::unordered_map<std::string, std::uint32_t>;

// The records that have a DOI and an abstract.
Index add_documents(const std::filesystem::path& file, Collection& collection) {
  Index index;
  std::unordered_map<std::string, std::int64_t> first_line;
  for (const RisRecord& record : read_ris(file)) {
    const std::string doi = bare_doi(record.first("DO"));
    const auto abstract = record.values.find("AB");
    if (doi.empty() || abstract == record.values.end()) continue;
    const std::string text = joined(abstract->second);
    if (trimmed(text).empty()) continue;
    const auto [known, added] = first_line.emplace(doi, record.line);
    if (!added)
      throw DataError(str("cca: a DOI must stand once, got ", excerpt(doi), " again, first in the record of line ",
                          known->second, " (", place(file, record.line), ")"));
    const std::string_view title = record.first(record.first("TI").empty() ? "T1" : "TI");
    index.emplace(doi, static_cast<std::uint32_t>(collection.documents.size()));
    collection.documents.push_back({doi, document_text(title, text), std::nullopt});
  }
  if (collection.documents.empty())
    throw DataError(str("cca: at least one record with DO and AB is needed, got none (", file.string(), ")"));
  return index;
}

// For every citing paper the documents it cites, from a JSON object of `DOI -> {"citations": [citing DOI, ...]}`.
std::vector<ReferenceList> reference_lists(const std::filesystem::path& file, const Index& index,
                                           Collection& collection) {
  const auto seeds = parse_json(read_file(file), file, 1);
  const auto fail = [&](const std::string& what) { throw DataError(str("cca: ", what, " (", file.string(), ")")); };
  if (!seeds.is_object()) fail("the file must hold an object, got " + type_name(seeds));
  std::map<std::string, std::vector<std::uint32_t>> cited_by;
  std::size_t strangers = 0;
  for (const auto& [key, seed] : seeds.items()) {
    if (!seed.is_object()) fail(str(excerpt(key), " must be an object, got ", type_name(seed)));
    const auto citations = seed.find("citations");
    if (citations == seed.end()) fail(str("field 'citations' of ", excerpt(key), " is missing"));
    if (!citations->is_array())
      fail(str("field 'citations' of ", excerpt(key), " must be an array, got ", type_name(*citations)));
    const auto document = index.find(bare_doi(key));
    strangers += document == index.end() ? 1 : 0;
    for (const auto& citing : *citations) {
      if (!citing.is_string())
        fail(str("field 'citations' of ", excerpt(key), " must hold strings, got ", type_name(citing)));
      if (document != index.end()) cited_by[bare_doi(citing.get_ref<const std::string&>())].push_back(document->second);
    }
  }
  if (strangers > 0)
    collection.notes.push_back(str("cca: of ", seeds.size(), " papers with citations, ", strangers,
                                   " are no documents: without a record that has DO and AB"));
  std::vector<ReferenceList> lists;
  for (auto& [citing, documents] : cited_by)
    lists.push_back({str(excerpt(citing), " (", file.string(), ")"), std::move(documents)});
  return lists;
}

}  // namespace

std::vector<Collection> import_cca(const std::filesystem::path& folder) {
  Collection collection{.domain = "cca", .documents = {}, .pairs = {}, .dropped = {}};
  const auto index = add_documents(folder / "tiab_screening_results.ris", collection);
  collection.pairs = co_citations(reference_lists(folder / "detailed_references_citations.json", index, collection));
  return {std::move(collection)};
}

}  // namespace coterie::data
