// From a dense checkpoint to experts: every expert starts as an exact copy of its layer's MLP.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "experts/options.h"

namespace coterie::experts {

/// Which of `layers` layers get experts, ascending.
///
/// @param wanted  `all`, `none`, `middle` (layer number layers / 2), or indices from 0
/// @throws ConfigError if there is no entry, an entry is none of these, a word stands beside others, or an index is out
///         of range or given twice
/// @par Source
/// arXiv:2401.15713: full and single extension.
[[nodiscard]] std::vector<std::int64_t> expert_layers(const std::vector<std::string>& wanted, std::int64_t layers);

/// Tensor names of a layer's MLP below `encoder.layer.N.`, as the dense checkpoint has them.
[[nodiscard]] const std::vector<std::string>& mlp_tensors();
/// The same of an expert, with the gate of the enlarged MLP: `intermediate.gate.weight` and its bias.
[[nodiscard]] const std::vector<std::string>& mlp_tensors(MlpKind kind);

/// Name of an expert's tensor under its global index: `encoder.layer.3.experts.1.intermediate.dense.weight`.
[[nodiscard]] std::string expert_tensor(std::int64_t layer, std::int64_t expert, const std::string& tensor);
/// Name of the shared expert's tensor: `encoder.layer.3.shared.intermediate.dense.weight`.
[[nodiscard]] std::string shared_tensor(std::int64_t layer, const std::string& tensor);
/// Name of a layer's own tensor: `encoder.layer.3.intermediate.dense.weight` of the dense MLP, and
/// `encoder.layer.3.heads.split.weight`, its bias, `heads.merge.weight` and its bias where heads are routed.
[[nodiscard]] std::string dense_tensor(std::int64_t layer, const std::string& tensor);

/// Name of a learned router's gate: `encoder.layer.3.router.weight`.
[[nodiscard]] std::string gate_tensor(std::int64_t layer);
/// Name of the bias that balances a learned router: `encoder.layer.3.router.balance.bias`.
[[nodiscard]] std::string balance_tensor(std::int64_t layer);

/// How MLPs become experts.
struct Upcycling {
  MlpKind mlp = MlpKind::plain;
  bool shared = false;      ///< one copy more, which every token passes besides
  double copy_noise = 0.0;  ///< normal noise on the matrices of the copies, times the matrix's standard deviation
  RandomKey key;            ///< of the noise
};

/// Replaces the MLPs of `layers` by `experts` copies each. Function-preserving for every router whose weights sum to
/// one for each token, unless there is noise on the copies.
///
/// Enlarged copies have a gate of weights 0 and biases 1. With a shared expert the outputs of two copies are added, so
/// that both start with half of the last matrix and bias: halving is exact.
/// @throws ShapeError if a layer's MLP is missing
/// @par Source
/// arXiv:2401.15713, copies and enlarged MLPs; the halved sum is ours.
void upcycle(std::map<std::string, at::Tensor>& weights, const std::vector<std::int64_t>& layers, std::int64_t experts,
             const Upcycling& how = {});

/// Replaces the MLPs of `layers` by `experts` new ones for heads of D / heads channels, drawn from `how.key` with a
/// standard deviation of 0.02 and biases of zero; splitting and merging start as the identity. Not function-preserving:
/// no MLP of D channels fits a head. A shared expert is the dense MLP itself.
/// @throws ShapeError if a layer's MLP is missing
void make_heads(std::map<std::string, at::Tensor>& weights, const std::vector<std::int64_t>& layers,
                std::int64_t experts, std::int64_t heads, const Upcycling& how);

/// The reverse for one expert: its MLPs take the dense names, all other experts are left out.
/// @throws ShapeError if the expert is missing in a layer
void extract_expert(std::map<std::string, at::Tensor>& weights, const std::vector<std::int64_t>& layers,
                    std::int64_t expert, std::int64_t experts);

}  // namespace coterie::experts
