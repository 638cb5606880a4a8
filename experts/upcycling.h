// From a dense checkpoint to experts: every expert starts as an exact copy of its layer's MLP.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

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

/// Name of an expert's tensor under its global index: `encoder.layer.3.experts.1.intermediate.dense.weight`.
[[nodiscard]] std::string expert_tensor(std::int64_t layer, std::int64_t expert, const std::string& tensor);
/// Name of the dense layer's tensor: `encoder.layer.3.intermediate.dense.weight`.
[[nodiscard]] std::string dense_tensor(std::int64_t layer, const std::string& tensor);

/// Name of a learned router's gate: `encoder.layer.3.router.weight`.
[[nodiscard]] std::string gate_tensor(std::int64_t layer);

/// Replaces the MLPs of `layers` by `experts` copies each. Function-preserving for every router whose weights sum to
/// one for each token.
/// @throws ShapeError if a layer's MLP is missing
void upcycle(std::map<std::string, at::Tensor>& weights, const std::vector<std::int64_t>& layers, std::int64_t experts);

/// The reverse for one expert: its MLPs take the dense names, all other experts are left out.
/// @throws ShapeError if the expert is missing in a layer
void extract_expert(std::map<std::string, at::Tensor>& weights, const std::vector<std::int64_t>& layers,
                    std::int64_t expert, std::int64_t experts);

}  // namespace coterie::experts
