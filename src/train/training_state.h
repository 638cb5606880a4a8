// What a run must remember besides its tensors, and how both are saved and restored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/file_ops.h"
#include "data/batch.h"
#include "dist/mesh.h"
#include "kernels/optimizer.h"
#include "model/sentence_encoder.h"
#include "train/decisive_settings.h"

namespace coterie::train {

/// The checkpoint that a run started from.
struct Start {
  std::string checkpoint;  ///< as `model.checkpoint` names it
  std::string folder;      ///< the directory that it was then, absolute
};

/// Where a run stands.
struct TrainingState {
  std::int64_t step = 0;        ///< updates made
  std::int64_t steps = 0;       ///< of the whole run, as it was planned
  data::Cursor cursor;          ///< of the next batch
  std::int64_t best_step = -1;  ///< the step of the best evaluation; -1 before the first
  double best_average_precision = 0.0;
  std::int64_t evaluations_since_best = 0;
  bool evaluation_due = false;  ///< the evaluation of this step was put off because the run was preempted
  Settings settings;            ///< a run continues only with the same
  Start start;
};

/// Saves model, moments and state as the checkpoint of `state.step`. Experts lie under their global index, so that any
/// layout reads what any other wrote.
/// @param tokenizer  `read_tokenizer_files`
/// @return the checkpoint's folder
/// @note collective over the world
std::filesystem::path save_training(FileOps& ops, const dist::Mesh& mesh, const std::filesystem::path& folder,
                                    const TrainingState& state, const model::SentenceEncoder& model,
                                    const kernels::AdamW& optimizer,
                                    const std::map<std::string, std::string>& tokenizer);

/// What `save_training` wrote besides tensors.
/// @throws DataError if it is not that
[[nodiscard]] TrainingState read_training_state(const std::filesystem::path& checkpoint);

/// Restores the tensors that `save_training` wrote, into a model of the same spec.
/// @param checkpoint  has been verified
/// @throws DataError if the checkpoint does not fit
void load_training(const std::filesystem::path& checkpoint, const model::SentenceEncoder& model,
                   kernels::AdamW& optimizer);

}  // namespace coterie::train
