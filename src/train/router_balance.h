// Balancing learned routes by a bias instead of a loss.
#pragma once

#include <vector>

#include "model/sentence_encoder.h"
#include "train/router_sums.h"

namespace coterie::train {

/// Adds `rate` to the bias of every expert that got fewer units of the global batch than the mean, and takes it away
/// from every one that got more; nothing where the model has no biases. The bias decides who is chosen, never by what
/// weight.
///
/// Biases are parameters without a gradient: they are saved and restored like any other.
///
/// @param sums  of the global batch
/// @par Source
/// Wang et al. 2024 (arXiv:2408.15664), algorithm 1.
void update_balance(const model::SentenceEncoder& model, const std::vector<RouterSums>& sums, double rate);

}  // namespace coterie::train
