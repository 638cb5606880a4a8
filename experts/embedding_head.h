// Experts on pooled embeddings: the block behind the last layer of a dense retriever.
//
// Shape letters besides those of the folder: M width of a bottleneck.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "experts/dispatcher.h"
#include "experts/head_options.h"
#include "experts/moe_layer.h"
#include "experts/router.h"

namespace coterie::experts {

/// One expert of the head: W relu(U x + u) + w.
struct Bottleneck {
  at::Tensor up_weight_MD;
  at::Tensor up_bias_M;
  at::Tensor down_weight_DM;
  at::Tensor down_bias_D;
};

/// The gate of the head, G relu(H x + h) + g, and the noise on it while training, n softplus(N x + m), n normal.
struct HeadGate {
  at::Tensor hidden_weight_MD;
  at::Tensor hidden_bias_M;
  at::Tensor output_weight_EM;
  at::Tensor output_bias_E;
  at::Tensor noise_weight_ED;
  at::Tensor noise_bias_E;
};

/// What the head does in one pass.
struct HeadPass {
  bool training = false;  ///< noisy scores, the best expert; otherwise as `HeadInference` says
  RandomKey key;          ///< of the head in this step
};

/// e -> normalize(sum over the chosen experts of w expert(e)) + e.
///
/// Only the chosen experts run. With one expert the weight cancels in the normalisation, and neither gate nor noise
/// would ever learn: there the output is (w / w held constant) normalize(expert(e)) + e, the same value.
///
/// @par Source
/// Investigating Mixture of Experts in Dense Retrieval (arXiv:2412.11864), SB-MoE; the factor w / w is ours.
class EmbeddingHead {
 public:
  /// @param experts     [L] of this rank
  /// @param dispatcher  of all E experts
  EmbeddingHead(HeadGate gate, std::vector<Bottleneck> experts, Dispatcher dispatcher, HeadInference inference)
      : gate_(std::move(gate)), experts_(std::move(experts)), dispatcher_(dispatcher), inference_(inference) {}

  /// @param pooled_BD  [B, D] in the master dtype
  /// @param layout     its `sequence_index` is read
  /// @param plans      of these sequences; the head's is made here if it is still missing, and its record is added
  /// @return           [B, D]
  /// @note collective over the expert group
  [[nodiscard]] at::Tensor forward(const at::Tensor& pooled_BD, const BatchLayout& layout, const HeadPass& pass,
                                   Plans& plans) const;

 private:
  [[nodiscard]] at::Tensor logits(const at::Tensor& pooled_BD, const BatchLayout& layout, const HeadPass& pass) const;
  [[nodiscard]] at::Tensor choose(const at::Tensor& logits_BE, const BatchLayout& layout, const HeadPass& pass) const;
  [[nodiscard]] at::Tensor run(const at::Tensor& rows_RD, const std::vector<std::int64_t>& rows_per_expert) const;

  HeadGate gate_;
  std::vector<Bottleneck> experts_;
  Dispatcher dispatcher_;
  HeadInference inference_;
};

}  // namespace coterie::experts
