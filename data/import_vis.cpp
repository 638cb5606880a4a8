// IEEE VIS: visualisation papers and the papers of the same venue that each of them cites.
#include <algorithm>
#include <unordered_map>

#include "base/csv.h"
#include "base/error.h"
#include "base/excerpt.h"
#include "base/text.h"
#include "data/document_text.h"
#include "data/import_formats.h"
#include "data/import_graph.h"

namespace coterie::data {
namespace {

// The CSV file itself, or the only one in a folder.
std::filesystem::path table_of(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return path;
  std::vector<std::filesystem::path> found;
  for (auto it = std::filesystem::directory_iterator(path, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error))
    if (ascii_lower(it->path().extension().string()) == ".csv") found.push_back(it->path());
  if (error) throw IoError(str("vis: cannot list '", path.string(), "': ", error.message()));
  if (found.size() != 1)
    throw DataError(str("vis: the folder must hold one .csv file, got ", found.size(), " (", path.string(), ")"));
  return found[0];
}

}  // namespace

std::vector<Collection> import_vis(const std::filesystem::path& path) {
  const auto file = table_of(path);
  const Csv table(file);
  const std::size_t title = table.column("Paper Title");
  const std::size_t doi = table.column("Paper DOI");
  const std::size_t abstract = table.column("Abstract");
  const std::size_t references = table.column("References");

  Collection collection{.domain = "vis", .documents = {}, .pairs = {}, .dropped = {}};
  std::unordered_map<std::string_view, std::uint32_t> index;
  std::unordered_map<std::string_view, std::int64_t> first_line;
  for (const CsvRow& row : table.rows()) {
    const std::string_view id = trimmed(row.cells[doi]);
    if (id.empty())
      throw DataError(str("vis: a paper must have a DOI, got an empty cell (", table.place_of(row, doi), ")"));
    const auto [known, added] = first_line.emplace(id, row.places[doi].line);
    if (!added)
      throw DataError(str("vis: a DOI must stand once, got ", excerpt(id), " again, first in line ", known->second,
                          " (", table.place_of(row, doi), ")"));
    if (trimmed(row.cells[abstract]).empty()) continue;
    index.emplace(id, static_cast<std::uint32_t>(collection.documents.size()));
    collection.documents.push_back(
        {std::string(id), document_text(row.cells[title], row.cells[abstract]), std::nullopt});
  }
  if (collection.documents.empty())
    throw DataError(str("vis: at least one paper with an abstract is needed, got ", table.rows().size(),
                        " rows without one (", file.string(), ")"));

  // A paper without an abstract is no document, but what it cites together counts.
  std::vector<ReferenceList> lists;
  for (const CsvRow& row : table.rows()) {
    ReferenceList list{str(excerpt(trimmed(row.cells[doi])), " (", table.place_of(row, doi), ")"), {}};
    for (const std::string_view cited : pieces(row.cells[references], ';'))
      if (const auto found = index.find(cited); found != index.end()) list.documents.push_back(found->second);
    lists.push_back(std::move(list));
  }
  collection.pairs = co_citations(std::move(lists));
  return {std::move(collection)};
}

}  // namespace coterie::data
