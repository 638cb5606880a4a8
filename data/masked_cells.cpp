// The partners of each a-side, looked up among the batch's columns.
#include "data/masked_cells.h"

#include <algorithm>
#include <span>
#include <utility>

namespace coterie::data {
namespace {

// Columns by a key of their document (its number, or the class of its text), sorted by (key, column).
using Columns = std::vector<std::pair<std::uint32_t, std::int64_t>>;

void append_columns(const Columns& columns, std::uint32_t key, std::vector<std::int64_t>& out) {
  for (auto at = std::lower_bound(columns.begin(), columns.end(), std::pair(key, std::int64_t{0}));
       at != columns.end() && at->first == key; ++at)
    out.push_back(at->second);
}

}  // namespace

MaskedCells masked_cells(const Corpus& corpus, const GlobalBatch& batch) {
  Columns by_document;
  Columns by_class;
  std::int64_t column = 0;
  for (const std::uint32_t document : candidates(batch)) {
    by_document.emplace_back(document, column);
    by_class.emplace_back(corpus.text_class(document), column);
    ++column;
  }
  std::sort(by_document.begin(), by_document.end());
  std::sort(by_class.begin(), by_class.end());

  MaskedCells cells;
  std::vector<std::int64_t> row;
  for (std::size_t i = 0; i < batch.a.size(); ++i) {
    row.clear();
    const std::span<const std::uint32_t> partners = corpus.partners(batch.a[i]);
    if (partners.size() <= by_document.size()) {
      for (const std::uint32_t partner : partners) append_columns(by_document, partner, row);
    } else {
      for (const auto& [document, place] : by_document)
        if (std::binary_search(partners.begin(), partners.end(), document)) row.push_back(place);
    }
    append_columns(by_class, corpus.text_class(batch.a[i]), row);
    std::sort(row.begin(), row.end());
    row.erase(std::unique(row.begin(), row.end()), row.end());
    row.erase(std::remove(row.begin(), row.end(), static_cast<std::int64_t>(i)), row.end());
    cells.columns.insert(cells.columns.end(), row.begin(), row.end());
    cells.row_offsets.push_back(static_cast<std::int64_t>(cells.columns.size()));
  }
  return cells;
}

std::vector<std::uint32_t> candidates(const GlobalBatch& batch) {
  std::vector<std::uint32_t> documents = batch.b;
  documents.insert(documents.end(), batch.negatives.begin(), batch.negatives.end());
  return documents;
}

std::vector<std::int32_t> domains_of(const Corpus& corpus, const std::vector<std::uint32_t>& documents) {
  std::vector<std::int32_t> domains;
  domains.reserve(documents.size());
  for (const std::uint32_t document : documents) domains.push_back(corpus.domain(document));
  return domains;
}

}  // namespace coterie::data
