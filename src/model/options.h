// The `[model]` section: the pretrained checkpoint and how it is run.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/schema.h"

namespace coterie::model {

/// Where a dropout rate comes from.
enum class Dropout : std::uint8_t {
  checkpoint,  ///< the checkpoint's config.json
  none,        ///< no dropout
};

/// What matrix products and attention run in, forward and backward; masters and their updates, sums over micro-batches
/// and ranks, softmax, LayerNorm statistics, the gate of a router and the loss never leave fp32.
enum class Precision : std::uint8_t { fp32, bf16 };

/// Whether embeddings are divided by their L2 norm at the end.
enum class Normalize : std::uint8_t {
  checkpoint,  ///< as the checkpoint's modules say
  yes,
  no,
};

/// @param checkpoint  what the checkpoint says
[[nodiscard]] constexpr bool normalizes(Normalize wanted, bool checkpoint) {
  return wanted == Normalize::checkpoint ? checkpoint : wanted == Normalize::yes;
}

struct ModelOptions {
  std::string checkpoint = "all-MiniLM-L6-v2";
  std::string added_tokens = "";
  std::int64_t max_length = 0;
  Normalize normalize = Normalize::checkpoint;
  Precision precision = Precision::fp32;
  Dropout hidden_dropout = Dropout::checkpoint;
  Dropout attention_dropout = Dropout::checkpoint;
};

inline void describe(config::Visitor& v, ModelOptions& o) {
  constexpr auto kDropouts = std::to_array<std::string_view>({"checkpoint", "none"});
  v.field("checkpoint", o.checkpoint, "directory of the pretrained model, or the name of a cached one");
  v.field(
      "added_tokens", o.added_tokens,
      "file of words, one a line, that get tokens of their own behind the checkpoint's vocabulary, each seeded with "
      "the mean of its pieces; empty: none");
  v.field("max_length", o.max_length, "tokens per text, [CLS] and [SEP] counted; 0: as the checkpoint says",
          {0, 65536});
  v.choice("normalize", o.normalize, std::to_array<std::string_view>({"checkpoint", "true", "false"}),
           "embeddings have length one, or the length that pooling gives them; checkpoint: as its modules say");
  v.choice("precision", o.precision, std::to_array<std::string_view>({"fp32", "bf16"}),
           "of matrix products and attention; masters, softmax, statistics, sums over ranks and the loss stay in fp32");
  v.choice("hidden_dropout", o.hidden_dropout, kDropouts, "dropout after embeddings and sublayers while training");
  v.choice("attention_dropout", o.attention_dropout, kDropouts, "dropout of attention probabilities while training");
}

}  // namespace coterie::model
