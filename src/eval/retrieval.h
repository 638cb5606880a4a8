// Retrieval: which documents of a whole collection a model finds for each judged query.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/batch.h"
#include "data/corpus.h"
#include "data/retrieval_set.h"
#include "data/tokenizer.h"
#include "dist/mesh.h"
#include "eval/search.h"
#include "eval/trec.h"
#include "model/encoder.h"

namespace coterie::eval {

/// A document or query under the id it has in run files.
struct RetrievalText {
  std::string id;
  std::string_view text;
  std::string domain;  ///< empty: none
};

/// What is searched, for what, and what should be found.
struct RetrievalTask {
  std::string name;
  std::vector<RetrievalText> documents;  ///< by id from the last in the order of bytes, which is how ties are ranked
  std::vector<RetrievalText> queries;    ///< each judged
  Qrels qrels;                           ///< of these queries
};

/// The split that a corpus has a query in, if not in every one, training where it is in several: what a model may have
/// been trained with.
using KnownSplits = std::unordered_map<std::string, data::Split>;

/// Of the queries of these collections.
/// @note reads all texts of the corpus
[[nodiscard]] KnownSplits known_splits(const data::Corpus& corpus, std::span<const data::RetrievalSet> sets);

/// A collection with its own index: its judged queries of a split.
///
/// The split of a query is the one that the corpus has its text in, else the one that its files put it in; a query
/// without either is measured. All its texts are of the domain that the set is named after.
///
/// @param set    must outlive the task
/// @throws DataError if no query is left
[[nodiscard]] RetrievalTask make_task(const data::RetrievalSet& set, data::Split split, const KnownSplits& known);

/// The documents of several tasks in one index.
struct MixedTask {
  RetrievalTask task;
  std::vector<std::vector<std::uint32_t>> numbers;  ///< [task][document of it]: its number in the mixed task
};

/// The name of the index of all collections.
inline constexpr const char* kMixed = "mixed";

/// All documents in one index, under ids `collection:id`, and all queries without a domain.
/// @param tasks  must differ in name; what their texts point to must outlive the result
[[nodiscard]] MixedTask mixed_task(std::span<const RetrievalTask> tasks);

/// How texts reach a model, and how its embeddings are compared.
struct TextView {
  const data::Tokenizer& tokenizer;
  /// The model's index of a domain by name, where an empty name is none; -1 for a model without domains.
  std::function<std::int32_t(const std::string&)> domain;
  std::int64_t max_length;
  std::int64_t batch_tokens;  ///< tokens embedded at a time on each rank
  /// `CorpusView::place_unknown`
  std::function<void(data::PackedSequences&)> place_unknown = {};
  bool by_cosine = true;  ///< else by the dot product of the embeddings as the model gives them
  RandomKey key = {};     ///< of what random routes draw
};

/// How a collection is walked.
struct SearchOptions {
  std::size_t depth = 100;            ///< documents kept for each query
  std::int64_t block_rows = 1 << 13;  ///< documents embedded and scored at a time: what bounds the memory
};

/// A search by cosine or dot product for the queries of a task.
/// @throws as the encoder's forward pass
/// @note collective over the world
[[nodiscard]] Search begin_search(const model::Encoder& encoder, const TextView& view, const RetrievalTask& task,
                                  const SearchOptions& options, const dist::Mesh& mesh);

/// A search of a larger index, to which documents belong under other numbers.
struct LargerIndex {
  Search& search;
  std::span<const std::uint32_t> numbers;  ///< [document of the task]
};

/// Searches the documents of a task, and offers them to a larger index too, so that they are embedded once.
/// @param larger  null: none
/// @throws DataError if a score is not finite; ShapeError if the larger index has numbers for more or fewer documents
/// @note collective over the world; the result is the same on every rank; memory for one block and the hits
[[nodiscard]] Ranking retrieve(const model::Encoder& encoder, const TextView& view, const RetrievalTask& task,
                               const SearchOptions& options, const dist::Mesh& mesh,
                               const LargerIndex* larger = nullptr);

/// The hits of a task's queries under the ids of its documents.
[[nodiscard]] Ranking ranking_of(const RetrievalTask& task, const std::vector<std::vector<Hit>>& hits);

}  // namespace coterie::eval
