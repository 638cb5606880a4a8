// A training run from its config to its last checkpoint.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/file_ops.h"
#include "base/run_lock.h"
#include "base/stop_signal.h"
#include "data/corpus.h"
#include "data/loader.h"
#include "dist/mesh.h"
#include "eval/pair_classification.h"
#include "model/sentence_encoder.h"
#include "train/batches.h"
#include "train/domain_load.h"
#include "train/router_report.h"
#include "train/run_log.h"
#include "train/run_options.h"
#include "train/training_state.h"
#include "train/training_step.h"

namespace coterie::train {

/// Why a run ended.
enum class Ending { finished, stopped_early, preempted };

/// How a run ended.
struct Outcome {
  Ending ending = Ending::finished;
  TrainingState state;
  std::vector<RouterReport> routers;  ///< over the steps since the start or the last resumption; on rank 0
};

/// Trains one model in one run directory.
///
/// Every rank makes one, with the same options. Construction opens or resumes the run; `run` goes on to its end.
class Trainer {
 public:
  /// @param resolved  the text kept as config.toml
  /// @param mesh      must outlive the trainer
  /// @param stopping  whether the run is to be preempted, asked after each step; the ranks need not agree
  /// @throws Error, the first rank's on every rank: Exit::locked if the directory is in use, or holds what `resume`
  ///   forbids; Exit::config if the checkpoint was made with another model or other settings; Exit::data if ranks start
  ///   from different files; Exit::config, Exit::data and Exit::io as opening each file does
  /// @note collective over the world
  Trainer(const RunOptions& options, const std::string& resolved, dist::Mesh& mesh, std::shared_ptr<FileOps> ops,
          std::function<bool()> stopping = stop_requested);

  /// Goes on to the end, or to the first step after which a rank is `stopping`: then the checkpoint comes first, and an
  /// evaluation due at that step is left to the run that continues.
  /// @throws NonFiniteError naming the step
  /// @note collective over the world
  Outcome run();

 private:
  [[nodiscard]] model::SentenceEncoder make_model_together() const;
  [[nodiscard]] std::string open_run();
  void resume(const std::string& checkpoint);
  void check_continues(const TrainingState& saved, const std::string& checkpoint) const;
  void open_log(const std::string& resolved);
  void train_step(data::Loader& loader);
  /// Makes the evaluation that is due, then the checkpoint that is due.
  void settle();
  /// @return whether this is the best evaluation so far
  bool evaluate();
  void save();
  [[nodiscard]] bool at_end() const { return state_.step == options_.train.steps; }
  [[nodiscard]] bool out_of_patience() const;
  [[nodiscard]] Outcome outcome(Ending ending) const { return {ending, state_, routers_.reports()}; }

  const RunOptions options_;
  dist::Mesh& mesh_;
  const std::shared_ptr<FileOps> ops_;
  const std::function<bool()> stopping_;
  const std::filesystem::path directory_;
  std::unique_ptr<RunLock> lock_;  // rank 0's
  const data::Corpus corpus_;
  const model::ModelSource source_;
  // Read once: the folder may change or go while the run lasts.
  const std::map<std::string, std::string> tokenizer_;
  const model::SentenceEncoder model_;
  TrainingStep step_;
  TrainingState state_;
  std::unique_ptr<RunLog> log_;  // rank 0's
  RouterHistory routers_;        // of the steps since the start or the last resumption, where there is a log
  DomainLoads loads_;            // of the steps since the last evaluation, where there is a log
};

}  // namespace coterie::train
