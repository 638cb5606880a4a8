// The kernels for tensors on a GPU, behind the functions of the same names that everybody calls. A build without CUDA
// takes them from absent.cpp.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "kernels/activation.h"
#include "kernels/attention.h"
#include "kernels/dropout.h"
#include "kernels/fused_norm.h"

namespace coterie::kernels::gpu {

/// As `kernels::dropout`, with the same bits, for a rate above 0.
/// @throws ShapeError unless the places are on the GPU too
[[nodiscard]] at::Tensor dropout(const at::Tensor& tokens_TD, double rate, RandomKey key, const TokenPlaces& places);

/// As `kernels::dropout_residual_norm`, with the same bits, of arguments that it has checked.
/// @throws ShapeError unless the places are on the GPU too, where something is dropped
[[nodiscard]] at::Tensor dropout_residual_norm(const at::Tensor& tokens_TD, const at::Tensor& residual_TD,
                                               const NormParameters& norm, double rate, RandomKey key,
                                               const TokenPlaces& places);

/// erf GELU of values + bias. Outside any graph.
/// @param values_RF  [R, F] in float or bf16
/// @param bias_F     [F] in float
[[nodiscard]] at::Tensor gelu(const at::Tensor& values_RF, const at::Tensor& bias_F);

/// As `kernels::activate_backward`.
[[nodiscard]] ActivationGradient gelu_backward(const at::Tensor& gradient_RF, const at::Tensor& values_RF,
                                               const at::Tensor& bias_F);

/// As `kernels::attention`, of at least one token and of arguments that it has checked, with the same bits.
///
/// In bf16 without dropout it is ATen's flash attention for sequences of any length; otherwise, because ATen draws its
/// own bits and has bf16 only, kernels of our own.
/// @throws ShapeError if a head is too wide
[[nodiscard]] at::Tensor attention(const at::Tensor& projections_T3D, std::int64_t heads,
                                   const std::vector<std::int64_t>& offsets,
                                   const std::vector<std::int64_t>& sequence_index, const AttentionDropout& dropout);

/// The same by our own kernels, whatever ATen could do: for tests.
[[nodiscard]] at::Tensor own_attention(const at::Tensor& projections_T3D, std::int64_t heads,
                                       const std::vector<std::int64_t>& offsets,
                                       const std::vector<std::int64_t>& sequence_index,
                                       const AttentionDropout& dropout);

}  // namespace coterie::kernels::gpu
