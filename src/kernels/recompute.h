// Backward passes that run the forward pass again instead of keeping what it computed.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace coterie::kernels {

/// Part of a model: tensors from one tensor and from parameters.
using Recomputable = std::function<std::vector<at::Tensor>(const at::Tensor&)>;

/// What `segment` makes of `input`, keeping of its graph the input alone: backward runs the segment again, with a
/// graph, and goes back through that. Parameters' gradients are added to their leaves.
///
/// @param segment  must give the same whenever it runs, and what it refers to must outlive backward
/// @param input    in a graph, or no gradient reaches the parameters of the segment
/// @return         what the segment made, all of it in the graph of `input`; backward passes by what is constant
/// @note where the segment is collective, so is backward
/// @par Source
/// Chen et al. 2016 (arXiv:1604.06174).
[[nodiscard]] std::vector<at::Tensor> recomputed(const Recomputable& segment, const at::Tensor& input);

}  // namespace coterie::kernels
