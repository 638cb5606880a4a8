// Which tensors a model has, and how its weights are made from a dense checkpoint.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "kernels/parameter_store.h"
#include "model/model_spec.h"

namespace coterie::model {

/// The experts that one rank holds: `first` to `first + count - 1` of each layer.
struct ExpertRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

using Weights = std::map<std::string, at::Tensor>;

/// Names and shapes of the model's tensors with the experts of `range`, in a fixed order.
[[nodiscard]] std::vector<TensorSpec> model_tensors(const ModelSpec& spec, const ExpertRange& range);

/// Extends dense weights to what `spec` says: rows for the domain tokens, copied from [CLS], upcycled experts, and
/// gates drawn from `key` where the router learns. The extended model's embeddings equal the dense one's.
/// @param cls  id of [CLS] in the vocabulary
[[nodiscard]] Weights extend_weights(Weights dense, const ModelSpec& spec, std::int64_t cls, RandomKey key);

/// The dense model of one domain: that domain's experts as MLPs, its token's row in the place of [CLS], and the
/// vocabulary cut back. Its embeddings equal the routed model's for that domain.
/// @param weights  all experts of `spec`, whose router must be `domain`, or which has no experts
[[nodiscard]] Weights dense_weights(Weights weights, const ModelSpec& spec, std::int32_t domain, std::int64_t cls);

/// Declares the tensors of `model_tensors` for a ParameterStore: experts are shared over the data axis, biases and
/// LayerNorms do not decay.
/// @throws DataError naming the tensor if one is missing or has another shape
[[nodiscard]] std::vector<kernels::Declaration> declare(const ModelSpec& spec, const ExpertRange& range,
                                                        const Weights& weights);

}  // namespace coterie::model
