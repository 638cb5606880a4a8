// Which cells of the contrastive loss are no negatives because the corpus knows better.
#pragma once

#include <cstdint>
#include <vector>

#include "data/batch.h"
#include "data/corpus.h"

namespace coterie::data {

/// A set of cells (i, j), i != j, of a batch's n rows, the a sides, and n + h columns, the b sides and then the hard
/// negatives, row by row.
struct MaskedCells {
  std::vector<std::int64_t> row_offsets = {0};  ///< [n + 1] into `columns`
  std::vector<std::int64_t> columns;            ///< ascending within a row
};

/// The cells whose a_i and b_j (or hard negative j - n) are known to be co-cited, with any weight and in any split, or
/// have equal text.
///
/// Time and memory follow the number of co-citations of the batch's documents, not the square of its pairs. Cells that
/// leave because their domains differ are therefore not listed: nearly all would be. For those a loss compares
/// `domains_of(corpus, batch.a)[i]` with `domains_of(corpus, candidates(batch))[j]`.
[[nodiscard]] MaskedCells masked_cells(const Corpus& corpus, const GlobalBatch& batch);

/// The documents of the columns: [n + h].
[[nodiscard]] std::vector<std::uint32_t> candidates(const GlobalBatch& batch);

/// Domain of each document.
[[nodiscard]] std::vector<std::int32_t> domains_of(const Corpus& corpus, const std::vector<std::uint32_t>& documents);

}  // namespace coterie::data
