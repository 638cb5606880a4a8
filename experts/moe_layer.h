// A layer of experts in place of a dense MLP: route, dispatch, compute, combine.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "experts/dispatcher.h"
#include "experts/expert_ffn.h"
#include "experts/router.h"

namespace coterie::experts {

class Plans;

/// Splits each token into heads, which are routed like tokens of D / count channels, and merges their outputs.
///
/// @par Source
/// Wu et al. 2024 (arXiv:2404.15045), multi-head mixture of experts.
struct Heads {
  std::int64_t count;
  kernels::Operand split_weight_DD;
  kernels::Operand split_bias_D;
  kernels::Operand merge_weight_DD;
  kernels::Operand merge_bias_D;
};

/// What a layer of experts is made of.
struct MoeParts {
  std::shared_ptr<const Router> router;
  Dispatcher dispatcher;
  ExpertFfn experts;
  std::int64_t layer = 0;                ///< number of the encoder layer, for records
  std::optional<ExpertFfn> shared = {};  ///< one expert that every token passes besides
  std::optional<Heads> heads = {};       ///< where heads of tokens are routed, not tokens
};

/// Sparse counterpart of `Mlp::forward`: the sum over a token's experts of weight times output, plus the output of the
/// shared expert where there is one.
class MoeLayer {
 public:
  explicit MoeLayer(MoeParts parts) : parts_(std::move(parts)) {}

  /// @param tokens_TD  [T, D]
  /// @param plans      of these tokens; this layer's is made here if it is still missing, and its record is added
  /// @return           [T, D]
  /// @note collective over the expert group
  [[nodiscard]] at::Tensor forward(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& noise,
                                   Plans& plans) const;

  [[nodiscard]] const Router& router() const noexcept { return *parts_.router; }

 private:
  [[nodiscard]] at::Tensor routed(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& noise,
                                  Plans& plans) const;
  [[nodiscard]] at::Tensor by_heads(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& noise,
                                    Plans& plans) const;

  MoeParts parts_;
};

/// In place of the number of an encoder layer: the head behind pooling.
inline constexpr std::int64_t kHeadLayer = -1;

/// What the router of one layer, or the head's gate, said in the latest pass over a batch of tokens.
struct RouterRecord {
  std::int64_t layer = 0;  ///< number of the encoder layer, or `kHeadLayer`
  Scores scores;           ///< undefined where the route is not learned; without a graph where it is the head's
  Choice choice;  ///< of tokens, also where the router decides for sequences or for heads of tokens; the head's: of
                  ///< sequences
};

/// The plans of one batch of tokens, from the first pass over it to the last: who goes where is decided once, also
/// where activations are computed again. Layers whose route follows from the layout share one plan.
class Plans {
 public:
  /// A layer's plan, empty until that layer has made it.
  [[nodiscard]] std::optional<Plan>& of(const MoeLayer& layer) {
    return plans_[layer.router().fixed_by_layout() ? nullptr : &layer];
  }
  /// That of the head behind pooling.
  [[nodiscard]] std::optional<Plan>& of_head() noexcept { return head_; }

  /// Every pass over the tokens begins with it: plans stay, records are those of the latest pass.
  void begin_pass() { records_.clear(); }
  /// In place of the layer's record of this pass, where the layer runs again in it.
  void record(RouterRecord record);
  /// That of an encoder layer in this pass; null if there is none.
  [[nodiscard]] const RouterRecord* record_of(std::int64_t layer) const;
  /// Of each layer with experts, in their order, then of the head. Scores of layers are part of the pass's graph: they
  /// keep it alive.
  [[nodiscard]] const std::vector<RouterRecord>& records() const noexcept { return records_; }

 private:
  std::map<const MoeLayer*, std::optional<Plan>> plans_;
  std::optional<Plan> head_;
  std::vector<RouterRecord> records_;
};

}  // namespace coterie::experts
