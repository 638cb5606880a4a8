// Balancing learned routes by a bias instead of a loss.
#pragma once

#include <cstdint>
#include <vector>

#include "dist/process_group.h"
#include "experts/moe_layer.h"
#include "model/sentence_encoder.h"

namespace coterie::train {

/// After each step, every expert that got fewer units of the global batch than the mean has `rate` added to its bias,
/// and every one that got more has it taken away. The bias decides who is chosen, never by what weight.
///
/// Biases are parameters without a gradient: they are saved and restored like any other.
///
/// @par Source
/// Wang et al. 2024 (arXiv:2408.15664), algorithm 1.
class RouterBalance {
 public:
  /// @param model  must outlive this
  RouterBalance(const model::SentenceEncoder& model, double rate);

  /// Counts what the latest pass over each piece of this rank's batch chose, in place of what was counted before.
  void count(const std::vector<experts::Plans>& pieces);

  /// Moves the biases by what was counted on all ranks; nothing without a bias.
  /// @note collective over the world, where the model has biases
  void update(const dist::ProcessGroup& world) const;

 private:
  const model::SentenceEncoder& model_;
  double rate_;
  at::Tensor counts_NE_;  // int64, of each layer with experts
};

}  // namespace coterie::train
