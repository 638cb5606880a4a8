// What a run tells while it goes on: the progress line, metrics.jsonl and TensorBoard. Rank 0 only has one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/metrics_log.h"
#include "base/progress.h"
#include "base/tensorboard.h"
#include "data/batch.h"
#include "eval/pair_classification.h"
#include "train/auxiliary_loss.h"
#include "train/domain_load.h"
#include "train/router_report.h"

namespace coterie::train {

/// One step, for the log.
struct StepReport {
  double loss = 0.0;
  double gradient_norm = 0.0;
  double scale = 0.0;
  double learning_rate = 0.0;
  double step_ms = 0.0;
  std::int64_t pairs = 0;
  std::int64_t tokens = 0;          ///< of the global batch
  std::int64_t masked_cells = 0;    ///< known co-cited cells of the global batch
  std::int64_t hard_negatives = 0;  ///< of the global batch
  AuxiliaryValues auxiliary;
  std::vector<RouterReport> routers;  ///< of each layer with experts and the head
};

/// Writes the log of one run directory.
class RunLog {
 public:
  /// @param step   the step the run starts or continues at: later lines of an earlier life are cut off
  /// @param steps  of the whole run
  RunLog(std::shared_ptr<FileOps> ops, const std::filesystem::path& run, std::int64_t step, std::int64_t steps);

  /// The progress line.
  void progress(std::int64_t step, double loss);
  /// A line in metrics.jsonl and TensorBoard.
  void step(std::int64_t step, const StepReport& report);
  /// A window of training pairs begins with this step; at the start of an epoch a line says how it was cut.
  void window(std::int64_t step, const data::Cursor& cursor, const data::WindowSize& size);
  /// Where the tokens of each domain went in the steps up to this one; no line where neither a layer nor the head has
  /// experts.
  void domain_load(std::int64_t step, const DomainLoad& load);
  /// An evaluation that an earlier life has written already is not written again.
  void evaluation(std::int64_t step, const std::vector<eval::DomainResult>& validation);
  /// Makes what was written durable, before a checkpoint of the same step.
  void sync() { metrics_.sync(); }

 private:
  void write_router(std::int64_t step, const RouterReport& router);

  MetricsLog metrics_;
  std::int64_t evaluated_;  // the step of the last line that an earlier life left, if it is an evaluation; or -1
  TensorBoardWriter board_;
  Progress progress_;
};

}  // namespace coterie::train
