// Contents of small checkpoints, different at every step, for the tests of saving.
#pragma once

#include <string>
#include <vector>

#include "model/checkpoint.h"
#include "model/tokenizer_files.h"
#include "tests/harness/tiny_model.h"

namespace coterie::test {

/// Odd and even steps pool differently, so that every kind of file differs between neighbours.
inline model::ModelSpec checkpoint_spec(std::int64_t step) {
  model::ModelSpec spec = tiny_spec({"biology", "physics"}, {0, 1});
  spec.pooling = step % 2 == 0 ? model::Pooling::mean : model::Pooling::cls;
  spec.bert.hidden_dropout = step % 2 == 0 ? 0.0 : 0.1;
  return spec;
}

inline model::Weights checkpoint_weights(std::int64_t step) {
  return tiny_weights(checkpoint_spec(step), static_cast<std::uint64_t>(step));
}

inline std::string checkpoint_state(std::int64_t step) { return str("{\"step\": ", step, "}\n"); }

/// The two shards that one rank alone writes: dense tensors, and experts.
inline std::vector<model::Shard> checkpoint_shards(std::int64_t step) {
  std::vector<model::Shard> shards = {{"dense.safetensors", {}}, {"experts-0.safetensors", {}}};
  for (const auto& [name, tensor] : checkpoint_weights(step))
    shards[name.find(".experts.") == std::string::npos ? 0 : 1].tensors.push_back({name, tensor});
  return shards;
}

inline model::CheckpointContent checkpoint_content(std::int64_t step, const std::filesystem::path& tokenizer) {
  return {step, checkpoint_spec(step), model::read_tokenizer_files(tokenizer), checkpoint_state(step),
          checkpoint_shards(step)};
}

}  // namespace coterie::test
