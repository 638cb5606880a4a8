// Tasks from collections, and their runs.
#include "eval/retrieval.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "data/pack_text.h"
#include "eval/embedder.h"
#include "kernels/pooling.h"

namespace coterie::eval {
namespace {

void sort_for_ties(std::vector<RetrievalText>& documents) {
  std::sort(documents.begin(), documents.end(),
            [](const RetrievalText& x, const RetrievalText& y) { return x.id > y.id; });
}

bool is_measured(const data::Document& query, data::Split split, const KnownSplits& known) {
  const auto found = known.find(query.text);
  if (found != known.end()) return found->second == split;
  return !query.split || *query.split == split;
}

// `first`: how many texts of their kind come before these.
at::Tensor embed(const model::Encoder& encoder, const TextView& view, std::span<const RetrievalText> texts,
                 std::int64_t first, RandomKey key, const dist::Mesh& mesh) {
  data::PackedSequences packed;
  for (const RetrievalText& text : texts)
    data::append_text(packed, view.tokenizer, text.text, view.max_length, view.domain(text.domain));
  if (view.place_unknown) view.place_unknown(packed);
  for (std::int64_t& index : packed.sequence_index) index += first;
  const at::Tensor rows_ND = embed_all(encoder, packed, view.batch_tokens, mesh, key);
  return (view.by_cosine ? kernels::normalize_rows(rows_ND) : rows_ND).cpu();
}

}  // namespace

KnownSplits known_splits(const data::Corpus& corpus, std::span<const data::RetrievalSet> sets) {
  std::unordered_set<std::string_view> queries;
  for (const data::RetrievalSet& set : sets)
    for (const data::Document& query : set.queries) queries.insert(query.text);
  KnownSplits known;
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(corpus.documents()); ++i) {
    if (corpus.split(i) == data::Split::every) continue;
    std::string text = corpus.text(i);
    if (!queries.contains(text)) continue;
    const auto [entry, added] = known.emplace(std::move(text), corpus.split(i));
    if (!added) entry->second = std::min(entry->second, corpus.split(i));
  }
  return known;
}

RetrievalTask make_task(const data::RetrievalSet& set, data::Split split, const KnownSplits& known) {
  RetrievalTask task{.name = set.name, .documents = {}, .queries = {}, .qrels = {}};
  std::set<std::uint32_t> judged;
  for (const data::Judgement& judgement : set.judgements) {
    const data::Document& query = set.queries[judgement.query];
    if (!is_measured(query, split, known)) continue;
    judged.insert(judgement.query);
    task.qrels.queries[query.id][judgement.document] = judgement.grade;
  }
  if (judged.empty())
    throw DataError(str("retrieval: '", set.name, "' must have a judged query that is of the ", data::name_of(split),
                        " split or of none, got none among ", set.queries.size(), " (eval.retrieval, eval.split)"));
  for (const std::uint32_t query : judged)
    task.queries.push_back({set.queries[query].id, set.queries[query].text, set.name});
  for (const data::Document& document : set.documents) task.documents.push_back({document.id, document.text, set.name});
  sort_for_ties(task.documents);
  return task;
}

MixedTask mixed_task(std::span<const RetrievalTask> tasks) {
  RetrievalTask mixed{.name = kMixed, .documents = {}, .queries = {}, .qrels = {}};
  std::unordered_map<std::string, std::uint32_t> number_of;
  for (const RetrievalTask& task : tasks) {
    const std::string prefix = task.name + ":";
    for (const RetrievalText& document : task.documents)
      mixed.documents.push_back({prefix + document.id, document.text, document.domain});
    for (const RetrievalText& query : task.queries) mixed.queries.push_back({prefix + query.id, query.text, ""});
    for (const auto& [query, documents] : task.qrels.queries)
      for (const auto& [document, grade] : documents) mixed.qrels.queries[prefix + query][prefix + document] = grade;
  }
  sort_for_ties(mixed.documents);
  for (const RetrievalText& document : mixed.documents)
    number_of.emplace(document.id, static_cast<std::uint32_t>(number_of.size()));
  std::vector<std::vector<std::uint32_t>> numbers;
  for (const RetrievalTask& task : tasks) {
    std::vector<std::uint32_t>& of_task = numbers.emplace_back();
    for (const RetrievalText& document : task.documents)
      of_task.push_back(number_of.at(str(task.name, ":", document.id)));
  }
  return {std::move(mixed), std::move(numbers)};
}

Search begin_search(const model::Encoder& encoder, const TextView& view, const RetrievalTask& task,
                    const SearchOptions& options, const dist::Mesh& mesh) {
  return {embed(encoder, view, task.queries, 0, view.key.derive("queries"), mesh), options.depth, mesh.world()};
}

Ranking retrieve(const model::Encoder& encoder, const TextView& view, const RetrievalTask& task,
                 const SearchOptions& options, const dist::Mesh& mesh, const LargerIndex* larger) {
  Search search = begin_search(encoder, view, task, options, mesh);
  std::vector<std::uint32_t> numbers(task.documents.size());
  std::iota(numbers.begin(), numbers.end(), 0U);
  COTERIE_CHECK(ShapeError, larger == nullptr || larger->numbers.size() == numbers.size(),
                "retrieval: ", numbers.size(), " documents, numbers in the larger index of ", larger->numbers.size());
  const auto block_rows = static_cast<std::size_t>(options.block_rows);
  for (std::size_t first = 0; first < numbers.size(); first += block_rows) {
    const std::size_t rows = std::min(block_rows, numbers.size() - first);
    const at::Tensor block_ND = embed(encoder, view, std::span(task.documents).subspan(first, rows),
                                      static_cast<std::int64_t>(first), view.key.derive("documents"), mesh);
    search.offer(block_ND, std::span(numbers).subspan(first, rows));
    if (larger != nullptr) larger->search.offer(block_ND, larger->numbers.subspan(first, rows));
  }
  return ranking_of(task, search.take());
}

Ranking ranking_of(const RetrievalTask& task, const std::vector<std::vector<Hit>>& hits) {
  COTERIE_CHECK(ShapeError, hits.size() == task.queries.size(), "retrieval: ", task.queries.size(),
                " queries, hits of ", hits.size());
  Ranking run;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    std::vector<Found>& found = run.queries[task.queries[i].id];
    for (const Hit& hit : hits[i]) found.push_back({task.documents[hit.document].id, hit.score});
  }
  return run;
}

}  // namespace coterie::eval
