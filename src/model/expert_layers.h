// The layers of experts, and the head behind pooling, over the tensors of a ParameterStore.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "experts/embedding_head.h"
#include "experts/moe_layer.h"
#include "kernels/parameter_store.h"
#include "model/weights.h"

namespace coterie::model {

/// What every layer of experts is made from.
struct ExpertSource {
  const ModelSpec& spec;
  const kernels::ParameterStore& store;
  const ExpertRange& range;
  const dist::ProcessGroup& group;  ///< must outlive every backward pass
};

/// The MLP of an encoder layer, or the experts in its place.
[[nodiscard]] std::variant<experts::Mlp, experts::MoeLayer> make_mlp(const ExpertSource& source, std::int64_t layer);

/// The head behind pooling, where the model has one.
[[nodiscard]] std::optional<experts::EmbeddingHead> make_head(const ExpertSource& source);

}  // namespace coterie::model
