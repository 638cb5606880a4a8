// The pair part of coterie eval: co-cited pairs against random ones, scored by one model or baseline after another.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/table.h"
#include "cli/eval_retrieval.h"
#include "data/corpus.h"
#include "dist/mesh.h"
#include "eval/lexical.h"
#include "eval/pair_classification.h"
#include "train/run_options.h"

namespace coterie::cli {

/// Average precision of the pairs of each domain when all of them are embedded as of another one.
struct CrossDomain {
  std::vector<std::string> as;                                    ///< the model's domains
  std::vector<std::pair<std::string, std::vector<double>>> rows;  ///< by domain of the pairs, `all` first
};

/// The pairs of a command.
class PairBench {
 public:
  /// @param corpus  must outlive the object
  PairBench(const train::RunOptions& options, const data::Corpus& corpus) : options_(options), corpus_(corpus) {}

  /// One row for all pairs, then one for each domain; with `eval.save` rank 0 also writes the scores, and the
  /// projection of the documents.
  /// @throws NonFiniteError if an embedding to project is not finite
  /// @note collective over the world
  [[nodiscard]] std::vector<eval::DomainResult> measure(const MeasuredModel& measured, const dist::Mesh& mesh) const;
  /// The same for a baseline, which is fitted to the training documents.
  [[nodiscard]] std::vector<eval::DomainResult> measure(const std::string& baseline, const dist::Mesh& mesh) const;

  /// @param measured  a model with domains
  /// @note collective over the world
  [[nodiscard]] CrossDomain cross_domain(const MeasuredModel& measured, const dist::Mesh& mesh) const;

 private:
  using Score = std::function<eval::ScoredPairs(data::Split)>;
  [[nodiscard]] std::vector<eval::DomainResult> rows(const std::string& name, const Score& score,
                                                     const dist::Mesh& mesh) const;
  void save(const std::string& name, const eval::ScoredPairs& scored) const;
  void save_projection(const std::string& name, const eval::EmbeddedSplit& embedded) const;
  [[nodiscard]] bool saves(const dist::Mesh& mesh) const {
    return !options_.eval.save.empty() && mesh.world().rank() == 0;
  }

  const train::RunOptions& options_;
  const data::Corpus& corpus_;
};

/// The table of all models, without a row.
[[nodiscard]] Table pair_table();
/// Appends a model's rows.
void add_pair_rows(Table& table, const std::string& model, const std::vector<eval::DomainResult>& rows);
/// Domain -> measures.
[[nodiscard]] nlohmann::ordered_json pair_json(const std::vector<eval::DomainResult>& rows);

/// A row for each domain of the pairs, a column for each domain that they are embedded as.
[[nodiscard]] Table cross_domain_table(const CrossDomain& cross);
/// Domain of the pairs -> domain that they are embedded as -> average precision.
[[nodiscard]] nlohmann::ordered_json cross_domain_json(const CrossDomain& cross);

}  // namespace coterie::cli
