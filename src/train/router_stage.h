// The two passes of a step over what its routers decide.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "data/batch.h"
#include "dist/process_group.h"
#include "experts/moe_layer.h"
#include "model/model_spec.h"
#include "train/auxiliary_loss.h"

namespace coterie::train {

/// What backward starts from: tensors, and the gradients with respect to them.
struct Roots {
  std::vector<at::Tensor> tensors;
  std::vector<at::Tensor> gradients;
};

/// Adds up what the routers decide in the first pass over the pieces of a batch; in the second gives backward its
/// roots.
class RouterStage {
 public:
  /// @param domains  D, of the corpus
  /// @param spec     how many experts layers and head have
  RouterStage(const AuxiliaryOptions& options, std::int64_t domains, const model::ModelSpec& spec)
      : options_(options), domains_(domains), experts_(spec.expert_count), head_experts_(spec.head_experts) {}

  /// Adds a piece of the batch.
  void add(const data::PackedSequences& piece, const experts::Plans& plans);

  /// Takes the sums over all ranks, and the losses of those of layers. Once, after the last piece.
  /// @throws ShapeError as `auxiliary_loss`
  /// @note collective over the world
  void reduce(const dist::ProcessGroup& world);

  /// Appends what backward through a piece must start from for the auxiliary losses: the sums over its tokens.
  /// @param plans  with the records of a pass that has a graph
  void append(const data::PackedSequences& piece, const experts::Plans& plans, Roots& roots) const;

  /// Over the global batch, one entry for each layer with experts, then one for the head.
  [[nodiscard]] const std::vector<RouterSums>& sums() const noexcept { return sums_; }
  [[nodiscard]] const AuxiliaryValues& values() const noexcept { return loss_.values; }

 private:
  AuxiliaryOptions options_;
  std::int64_t domains_;
  std::int64_t experts_;
  std::int64_t head_experts_;
  std::vector<RouterSums> sums_;
  AuxiliaryLoss loss_;
};

}  // namespace coterie::train
