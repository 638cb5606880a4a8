// The retrieval part of coterie eval: the collections of `eval.retrieval`, searched by one model after another.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/table.h"
#include "data/corpus.h"
#include "data/tokenizer.h"
#include "dist/mesh.h"
#include "eval/metrics_table.h"
#include "eval/retrieval.h"
#include "model/sentence_encoder.h"
#include "train/run_options.h"

namespace coterie::cli {

/// The part of a corpus, or of a collection's queries, that is measured.
[[nodiscard]] data::Split split_of(eval::EvalSplit split);

/// A model that is measured, under its name in tables and files.
struct MeasuredModel {
  const std::string& name;
  const model::SentenceEncoder& model;
  const data::Tokenizer& tokenizer;
  std::function<void(data::PackedSequences&)> place_unknown = {};  ///< `eval::CorpusView::place_unknown`
};

/// The tasks of a command.
class RetrievalBench {
 public:
  /// @param corpus  queries that it has in another split are left out; null: none are
  /// @throws ConfigError if two collections have one name; what reading them throws
  RetrievalBench(const train::RunOptions& options, const data::Corpus* corpus);

  /// A row for each task, in their order: model, collection, documents; with `eval.save` rank 0 also writes the runs,
  /// the judgements and what was found for the first queries.
  /// @throws ConfigError if the model needs a domain that it does not know, with `experts.unknown_domain = error`
  /// @note collective over the world
  [[nodiscard]] std::vector<eval::NamedRetrieval> measure(const MeasuredModel& measured, const dist::Mesh& mesh) const;

  /// The same for a baseline, which is fitted to the documents of each task.
  /// @note collective over the world
  [[nodiscard]] std::vector<eval::NamedRetrieval> measure(const std::string& baseline, const dist::Mesh& mesh) const;

 private:
  [[nodiscard]] eval::NamedRetrieval row(const std::string& name, const eval::RetrievalTask& task,
                                         const eval::Ranking& ranking, const dist::Mesh& mesh) const;
  void save(const std::string& model, const eval::RetrievalTask& task, const eval::Ranking& run) const;

  const train::RunOptions& options_;
  std::size_t depth_;
  std::vector<data::RetrievalSet> sets_;  // what the texts of the tasks point into
  std::vector<eval::RetrievalTask> tasks_;
  std::optional<eval::MixedTask> mixed_;
};

/// The table of the rows that `RetrievalBench` makes.
[[nodiscard]] Table retrieval_table(std::span<const eval::NamedRetrieval> rows);

/// Model -> collection -> documents, queries and measures.
[[nodiscard]] nlohmann::ordered_json retrieval_json(std::span<const eval::NamedRetrieval> rows);

}  // namespace coterie::cli
