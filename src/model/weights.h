// Which tensors a model has, and how its weights are made from a dense checkpoint.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "kernels/parameter_store.h"
#include "model/model_spec.h"

namespace coterie::model {

/// The experts that one rank holds: `first` to `first + count - 1` of each layer, and likewise of the head.
struct ExpertRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::int64_t head_first = 0;
  std::int64_t head_count = 0;
};

/// All experts of a model.
[[nodiscard]] inline ExpertRange all_experts(const ModelSpec& spec) {
  return {0, spec.expert_count, 0, spec.head_experts};
}

/// Name of a tensor of the head behind pooling: `head.gate.hidden.weight`.
[[nodiscard]] std::string head_tensor(const std::string& tensor);
/// Name of a tensor of one of its experts: `head.experts.2.output.dense.bias`.
[[nodiscard]] std::string head_expert_tensor(std::int64_t expert, const std::string& tensor);

using Weights = std::map<std::string, at::Tensor>;

/// Names and shapes of the model's tensors with the experts of `range`, in a fixed order.
[[nodiscard]] std::vector<TensorSpec> model_tensors(const ModelSpec& spec, const ExpertRange& range);

/// Extends dense weights to what `spec` says: rows for the domain tokens, copied from [CLS], upcycled experts, and,
/// drawn from `key`, gates where the router learns and the head. The extended model's embeddings equal the dense one's
/// unless `not_preserving` names a reason.
/// @param cls         id of [CLS] in the vocabulary
/// @param copy_noise  of each expert's matrices, times their standard deviation
[[nodiscard]] Weights extend_weights(Weights dense, const ModelSpec& spec, std::int64_t cls, RandomKey key,
                                     double copy_noise = 0.0);

/// Why a freshly extended model's embeddings are not the dense one's, a reason each; none if they are.
/// @param added_tokens  file of words that got tokens of their own; empty: none did
[[nodiscard]] std::vector<std::string> not_preserving(const ModelSpec& spec, double copy_noise,
                                                      std::string_view added_tokens);

/// Why the model does not split into plain BERTs, a reason each; none if it does.
[[nodiscard]] std::vector<std::string> not_splitting(const ModelSpec& spec);

/// The dense model of one domain: that domain's experts as MLPs, its token's row in the place of [CLS], and the
/// vocabulary cut back. Its embeddings equal the routed model's for that domain.
/// @param weights  all experts of `spec`, for which `not_splitting` is empty
/// @param domain   -1 where the model knows no domains
[[nodiscard]] Weights dense_weights(Weights weights, const ModelSpec& spec, std::int32_t domain, std::int64_t cls);

/// Declares the tensors of `model_tensors` for a ParameterStore: experts are shared over the data axis, biases and
/// LayerNorms do not decay.
/// @throws DataError naming the tensor if one is missing or has another shape
[[nodiscard]] std::vector<kernels::Declaration> declare(const ModelSpec& spec, const ExpertRange& range,
                                                        const Weights& weights);

}  // namespace coterie::model
