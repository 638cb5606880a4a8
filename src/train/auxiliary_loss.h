// The losses on what learned routers do with a global batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "train/options.h"
#include "train/router_sums.h"

namespace coterie::train {

/// The losses of one batch, each the mean over the layers with experts, before its weight; those of weight 0 are 0.
struct AuxiliaryValues {
  double load_balance = 0.0;
  double router_z = 0.0;
  double specified_expert = 0.0;
  double mutual_information = 0.0;  ///< the mutual information with its sign turned
  double total = 0.0;               ///< their weighted sum
};

/// What the total changes by with the sums of one layer; a tensor is undefined where it does not depend on them.
struct RouterGradient {
  at::Tensor probability_DE;
  at::Tensor squared_log_sum;
  at::Tensor cross_entropy;
};

struct AuxiliaryLoss {
  AuxiliaryValues values;
  std::vector<RouterGradient> gradients;  ///< of each layer
};

/// Losses of the sums over the global batch, and their gradients with respect to these sums.
///
/// With p_e the mean probability of expert e and f_e its share of the assignments (held constant), in each layer:
/// load balance E sum_e f_e p_e; router z mean (log sum_e exp logit_e)^2; specified expert: mean over the sequences of
/// the cross entropy of their mean logits against their domain; mutual information -sum_de P log(P_de / (P_d P_e)),
/// with P the probabilities summed over each domain's units, divided by their sum.
///
/// Router z is linear in the tokens, specified expert in the sequences, the others in neither. Hence two passes: sums
/// of the whole batch first, then each rank differentiates these gradients, held constant, times the sums over its own
/// tokens.
///
/// @param sums  of the layers over the global batch, in double
/// @throws ShapeError if a loss has a weight and the model no learned router, or, with `specified_expert`, fewer
///   experts than domains
/// @par Source
/// Load balance: Fedus et al. 2021 (arXiv:2101.03961); router z: Zoph et al. 2022 (arXiv:2202.08906); specified expert:
/// arXiv:2401.15713; mutual information: Chen et al. 2022, Mod-Squad (arXiv:2212.08066), whose P sums to top_k: their
/// weight is to be multiplied by it here. Each loss is the mean over the layers.
[[nodiscard]] AuxiliaryLoss auxiliary_loss(const AuxiliaryOptions& options, std::span<const RouterSums> sums);

}  // namespace coterie::train
