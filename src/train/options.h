// The `[loss]`, `[optim]` and `[train]` sections.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"

namespace coterie::train {

/// The contrastive loss.
enum class LossKind : std::uint8_t {
  mnr,                ///< multiple negatives ranking: each a finds its b among all b
  symmetric,          ///< the mean of both directions
  mnr_plus,           ///< both directions, each pair's target being the pair closest to it
  query_to_document,  ///< as mnr, the pair's first document always being the one that searches
};

/// How two embeddings are compared.
enum class Similarity : std::uint8_t { cosine, dot };

/// Which other pairs of the global batch are negatives.
enum class Negatives : std::uint8_t { all, same_domain };

/// Weights of the losses on what learned routers do; 0: none of it.
struct AuxiliaryOptions {
  double load_balance = 0.0;
  double router_z = 0.0;
  double specified_expert = 0.0;
  double mutual_information = 0.0;

  [[nodiscard]] bool any() const noexcept {
    return load_balance > 0 || router_z > 0 || specified_expert > 0 || mutual_information > 0;
  }
};

inline void describe(config::Visitor& v, AuxiliaryOptions& o) {
  v.field("load_balance", o.load_balance, "weight of E sum_e (share of the choices) (mean probability): even loads",
          {0.0, 1e3});
  v.field("router_z", o.router_z, "weight of the mean squared log-sum-exp of a router's logits: small logits",
          {0.0, 1e3});
  v.field("specified_expert", o.specified_expert,
          "weight of the cross entropy of a text's mean logits against its domain: expert d for domain d", {0.0, 1e3});
  v.field("mutual_information", o.mutual_information,
          "weight of the mutual information between domain and expert, which it raises: experts of their own for each "
          "domain, and none idle",
          {0.0, 1e3});
}

struct LossOptions {
  LossKind kind = LossKind::symmetric;
  Similarity similarity = Similarity::cosine;
  double scale = 20.0;
  bool learn_scale = false;
  double scale_max = 100.0;
  double scale_lr = 1e-3;
  bool mask_known = true;
  Negatives negatives = Negatives::all;
  std::int64_t hard_negatives = 0;
  std::vector<std::string> matryoshka_dims = {};
  std::vector<std::string> matryoshka_weights = {};
  AuxiliaryOptions auxiliary = {};
};

inline void describe(config::Visitor& v, LossOptions& o) {
  v.choice(
      "kind", o.kind, std::to_array<std::string_view>({"mnr", "symmetric", "mnr_plus", "query_to_document"}),
      "mnr: each a finds its b; symmetric: the mean of both directions; mnr_plus: both, towards the pair that is "
      "closest (with cosine: itself); query_to_document: as mnr, a being the pair's first document, never swapped");
  v.choice(
      "similarity", o.similarity, std::to_array<std::string_view>({"cosine", "dot"}),
      "cosine, or dot products of the embeddings as the model gives them; collections are searched by the same, pairs "
      "are always measured by cosine");
  v.field("scale", o.scale, "factor of the similarities, one over the temperature; the first value if learned",
          {1e-3, 1e3});
  v.field("learn_scale", o.learn_scale, "learn the scale (as its logarithm, without weight decay)");
  v.field("scale_max", o.scale_max, "a learned scale is kept within 1 / scale_max and scale_max", {1.0, 1e6});
  v.field("scale_lr", o.scale_lr, "peak learning rate of a learned scale", {0.0, 1.0});
  v.field("mask_known", o.mask_known, "known co-cited pairs and equal texts are not used as negatives");
  v.choice("negatives", o.negatives, std::to_array<std::string_view>({"all", "same_domain"}),
           "negatives come from all pairs of the global batch, or from those of the same domain");
  v.field(
      "hard_negatives", o.hard_negatives,
      "hard negatives of each pair, at most: documents co-cited with b and never with a, as further columns for all "
      "a",
      {0, 64});
  v.field("matryoshka_dims", o.matryoshka_dims,
          "the loss is the sum over these numbers of leading dimensions, ascending; none: all dimensions");
  v.field("matryoshka_weights", o.matryoshka_weights, "weight of each of loss.matryoshka_dims; none: 1");
  v.section("auxiliary", o.auxiliary, "weights of losses on learned routers, over the global batch; 0 with others");
}

/// Shape of the learning rate after warm-up.
enum class Decay : std::uint8_t { linear, cosine, constant };

struct OptimOptions {
  double lr = 2e-5;
  double head_lr = 1e-4;
  double gate_lr_factor = 1.0;
  std::int64_t warmup_steps = 10;
  Decay decay = Decay::linear;
  double weight_decay = 0.01;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double clip_norm = 1.0;
  double router_balance_rate = 0.0;
};

inline void describe(config::Visitor& v, OptimOptions& o) {
  v.field("lr", o.lr, "peak learning rate", {0.0, 1.0});
  v.field("head_lr", o.head_lr, "peak learning rate of the head on the pooled embedding", {0.0, 1.0});
  v.field("gate_lr_factor", o.gate_lr_factor,
          "what optim.lr is multiplied by for the gates of learned routers, which start at random; the head's has "
          "optim.head_lr",
          {0.0, 1e6});
  v.field("warmup_steps", o.warmup_steps, "steps of linear warm-up from 0", {0, 10000000});
  v.choice("decay", o.decay, std::to_array<std::string_view>({"linear", "cosine", "constant"}),
           "learning rate after warm-up, towards 0 at the last step");
  v.field("weight_decay", o.weight_decay, "decoupled weight decay; biases and LayerNorms have none", {0.0, 1.0});
  v.field("beta1", o.beta1, "decay of AdamW's first moment", {0.0, 0.999999});
  v.field("beta2", o.beta2, "decay of AdamW's second moment", {0.0, 0.9999999});
  v.field("epsilon", o.epsilon, "AdamW's epsilon", {1e-16, 1.0});
  v.field("clip_norm", o.clip_norm, "gradients are scaled down to this global norm", {1e-9, 1e9});
  v.field("router_balance_rate", o.router_balance_rate,
          "balances learned routes without a loss: what each step adds to the routing bias of experts below the mean "
          "load, and takes from those above; 0: no bias",
          {0.0, 1.0});
}

struct TrainOptions {
  std::int64_t steps = 100;
  std::int64_t eval_every = 20;
  std::int64_t save_every = 20;
  std::int64_t patience = 0;
  std::int64_t keep = 2;
  std::int64_t log_every = 1;
  std::int64_t micro_batch_tokens = 16384;
  bool recompute = false;
};

inline void describe(config::Visitor& v, TrainOptions& o) {
  v.field("steps", o.steps, "optimizer updates of the whole run", {1, 1000000000});
  v.field("eval_every", o.eval_every, "steps between evaluations on the validation split", {1, 1000000000});
  v.field("save_every", o.save_every, "steps between checkpoints; a new best model is saved besides", {1, 1000000000});
  v.field("patience", o.patience, "evaluations without a better average precision before stopping; 0: never stop early",
          {0, 1000000});
  v.field("keep", o.keep, "checkpoints to keep besides the best one", {1, 1000});
  v.field("log_every", o.log_every, "steps between lines in metrics.jsonl", {1, 1000000});
  v.field(
      "micro_batch_tokens", o.micro_batch_tokens,
      "tokens that a rank keeps activations of; a larger share runs in pieces, forward twice (gradient caching); 0: "
      "no limit",
      {0, 1 << 30});
  v.field(
      "recompute", o.recompute,
      "keep the input of each encoder layer alone for backward, and run the layer again there: less memory, one more "
      "forward");
}

}  // namespace coterie::train
