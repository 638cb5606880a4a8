// One optimizer step over the global batch.
#pragma once

#include <cstdint>

#include "data/batch.h"
#include "dist/mesh.h"
#include "dist/reducer.h"
#include "kernels/optimizer.h"
#include "model/sentence_encoder.h"
#include "train/batch_loss.h"
#include "train/options.h"
#include "train/router_stage.h"

namespace coterie::train {

/// Name of the learned scale's logarithm in the parameter store.
inline constexpr const char* kLogScale = "loss.log_scale";

/// The parameters that the loss brings: the logarithm of the scale where it is learned.
[[nodiscard]] std::vector<kernels::Declaration> loss_parameters(const LossOptions& options);

/// Where the time of a step went, on this rank. On a GPU the first ones are those of issuing its work, and `reduce_ms`
/// has what is left of it.
struct StepTimes {
  double forward_ms = 0.0;   ///< embedding, without a graph where gradients are cached
  double loss_ms = 0.0;      ///< gather, loss, reduce-scatter
  double backward_ms = 0.0;  ///< with the second forward where gradients are cached
  double reduce_ms = 0.0;    ///< of gradients and their norm
  double update_ms = 0.0;    ///< AdamW
};

/// What a step tells.
struct StepResult {
  double loss = 0.0;                ///< the contrastive one of the global batch, before the update
  double gradient_norm = 0.0;       ///< global, every expert counted once, before clipping
  double scale = 0.0;               ///< of the similarities, used in this step
  AuxiliaryValues auxiliary;        ///< losses beside `loss`
  std::vector<RouterSums> routers;  ///< over the global batch, for each layer with experts and the head
  StepTimes times;
};

/// Forward, loss, backward, reduction, clipping and update. Every rank differentiates its share of the loss; then
/// gradients are summed, dense ones over all ranks, those of experts over the ranks that hold them. No other factor.
///
/// A share of more than `micro_batch_tokens` tokens runs in pieces: all but the last are embedded without a graph, the
/// loss is taken over the whole batch, then the last piece gets its rows of the gradient, and each other one is
/// embedded again and gets its own. Dropout bits are functions of the place of a token in the global batch, and routes
/// are kept, so both passes do the same. The result is that of one piece.
///
/// @par Source
/// Gao et al. 2021 (arXiv:2101.06983), gradient caching.
class TrainingStep {
 public:
  /// @param model  its store holds `loss_parameters` too; must outlive the step, as must the mesh
  TrainingStep(const LossOptions& loss, const OptimOptions& optim, std::int64_t micro_batch_tokens,
               const model::SentenceEncoder& model, const dist::Mesh& mesh);

  /// @param factor  of all peak learning rates, from the schedule
  /// @throws NonFiniteError, on every rank, if loss or gradient norm is not finite; nothing is updated then
  /// @note collective over the world
  StepResult run(const data::Batch& batch, const NegativeMask& mask, const model::Noise& noise, double factor);

  /// The first half of `run`: leaves the reduced gradients in the store.
  /// @note collective over the world
  [[nodiscard]] StepResult gradients(const data::Batch& batch, const NegativeMask& mask, const model::Noise& noise);

  [[nodiscard]] kernels::AdamW& optimizer() noexcept { return optimizer_; }
  [[nodiscard]] const kernels::AdamW& optimizer() const noexcept { return optimizer_; }

 private:
  [[nodiscard]] at::Tensor embed(const data::PackedSequences& sequences, const model::Noise& noise,
                                 experts::Plans& plans) const;
  [[nodiscard]] double scale() const;
  /// Reads loss and gradient norm into `result`: the one time in a step that the host waits for a GPU, but for learned
  /// routes, a learned scale, and the closest pairs of `mnr_plus`.
  /// @throws NonFiniteError
  /// @note collective over the expert group
  void read(const at::Tensor& loss, StepResult& result) const;
  void clamp_scale() const;

  LossOptions loss_;
  BatchLoss batch_loss_;
  OptimOptions optim_;
  std::int64_t micro_batch_tokens_;
  const model::SentenceEncoder& model_;
  const dist::Mesh& mesh_;
  dist::Reducer reducer_;
  kernels::AdamW optimizer_;
};

}  // namespace coterie::train
