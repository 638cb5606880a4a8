// A global batch dealt to ranks, models whose experts differ, and the layouts they run in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/harness/packing.h"
#include "tests/harness/tiny_model.h"
#include "train/training_step.h"

namespace coterie::train {

inline constexpr std::int64_t kPairs = 9;
inline constexpr std::int64_t kDomains = 4;

inline std::vector<std::int32_t> ids_of(std::int64_t sequence) {
  const RandomKey key = RandomKey{11}.derive(static_cast<std::uint64_t>(sequence));
  std::vector<std::int32_t> ids(3 + random_below(key, 0, 10));
  for (std::size_t t = 0; t < ids.size(); ++t) ids[t] = static_cast<std::int32_t>(random_below(key, t + 1, 40));
  ids[ids.size() / 2] = ids.back() = 3;  // two segments
  return ids;
}

// How the pairs of a global batch lie on four ranks. Either way both copies of some expert get tokens on (2, 2).
enum class Shares {
  uneven,       // 4, 3, 2 and 0 pairs: the last rank has nothing
  on_all_ranks  // 3, 2, 2 and 2 pairs
};

// Two hard negatives for every third pair: h = 6.
inline constexpr std::int64_t kHardNegatives = 6;
inline std::int64_t pair_of_negative(std::int64_t place) { return place / 2 * 3; }

inline std::int64_t owner(std::int64_t pair, std::int64_t ranks, Shares shares) {
  constexpr std::int64_t kUneven[kPairs] = {0, 1, 0, 2, 1, 0, 1, 2, 0};
  return ranks == 4 && shares == Shares::uneven ? kUneven[pair] : pair % ranks;
}

inline data::Batch share_of(std::int64_t rank, std::int64_t ranks, Shares shares) {
  data::Batch batch;
  batch.global.a.resize(kPairs);
  batch.global.b.resize(kPairs);
  batch.global.domains = kDomains;
  for (std::int64_t i = 0; i < kPairs; ++i)
    if (owner(i, ranks, shares) == rank) batch.positions.push_back(i);
  for (const std::int64_t side : {0, 1})
    for (const std::int64_t i : batch.positions) {
      const std::int64_t sequence = side * kPairs + i;
      // Both sides of a pair share a domain, and one expert gets nothing at all.
      test::append(batch.sequences, ids_of(sequence), 16, static_cast<std::int32_t>(i % (kDomains - 1)), sequence);
      batch.sequences.expert.push_back(static_cast<std::int32_t>((sequence + 1) % (kDomains - 1)));
    }
  return batch;
}

inline data::Batch batch_for(std::int64_t rank, std::int64_t ranks, Shares shares = Shares::uneven) {
  return test::dealt(rank, ranks, [&](std::int64_t each) { return share_of(each, ranks, shares); });
}

inline data::Batch share_with_hard_negatives(std::int64_t rank, std::int64_t ranks, Shares shares) {
  data::Batch batch = share_of(rank, ranks, shares);
  for (std::int64_t k = 0; k < kHardNegatives; ++k) {
    batch.global.negatives.push_back(0);
    batch.global.negative_of.push_back(pair_of_negative(k));
    if (owner(pair_of_negative(k), ranks, shares) != rank) continue;
    batch.negatives.push_back(k);
    const auto domain = static_cast<std::int32_t>(pair_of_negative(k) % (kDomains - 1));
    test::append(batch.sequences, ids_of(2 * kPairs + k), 16, domain, 2 * kPairs + k);
    batch.sequences.expert.push_back(domain);
  }
  return batch;
}

inline data::Batch batch_with_hard_negatives(std::int64_t rank, std::int64_t ranks, Shares shares) {
  return test::dealt(rank, ranks, [&](std::int64_t each) { return share_with_hard_negatives(each, ranks, shares); });
}

inline NegativeMask some_mask(std::int64_t columns = kPairs) {
  NegativeMask mask;
  for (std::int64_t i = 0; i < kPairs; ++i) {
    for (std::int64_t j = 0; j < columns; ++j)
      if (i != j && (i + 2 * j) % 4 == 0) mask.known.columns.push_back(j);
    mask.known.row_offsets.push_back(static_cast<std::int64_t>(mask.known.columns.size()));
  }
  return mask;
}

// Only pairs and hard negatives of the same domain are negatives.
inline NegativeMask within_domains(NegativeMask mask, std::int64_t columns = kPairs) {
  for (std::int64_t i = 0; i < kPairs; ++i) mask.domain_a.push_back(static_cast<std::int32_t>(i % (kDomains - 1)));
  mask.domain_b = mask.domain_a;
  for (std::int64_t k = 0; k < columns - kPairs; ++k)
    mask.domain_b.push_back(static_cast<std::int32_t>(pair_of_negative(k) % (kDomains - 1)));
  return mask;
}

struct StepSettings {
  LossOptions loss{.kind = LossKind::symmetric, .learn_scale = true};
  OptimOptions optim{.lr = 1e-3, .warmup_steps = 0, .clip_norm = 0.05};
  model::Noise noise{0.1, 0.1, RandomKey{3}, 0.2, 0.3, model::Mode::training};
  bool hard_negatives = false;
  bool same_domain = false;
};

// tiny_weights makes experts that differ: right after upcycling a wrong expert could not be noticed.
inline model::ModelSpec spec() { return test::tiny_spec({"w", "x", "y", "z"}, {0, 1}); }

// The route then depends on the tokens, and differs from layer to layer.
inline model::ModelSpec learned_spec(std::int64_t top_k) {
  model::ModelSpec learned = test::tiny_spec();
  learned.expert_layers = {0, 1};
  learned.router = experts::RouterKind::top_k_token;
  learned.expert_count = kDomains;
  learned.top_k = top_k;
  return learned;
}

// A model for each router, experts of each kind, and the head.
struct Variant {
  std::string name;
  model::ModelSpec spec;
};

inline Variant variant(const std::string& name, experts::RouterKind router, std::int64_t experts,
                       std::int64_t top_k = 1) {
  model::ModelSpec spec = test::tiny_spec();
  spec.expert_layers = {0, 1};
  spec.router = router;
  spec.expert_count = experts;
  spec.top_k = top_k;
  if (router == experts::RouterKind::multi_head) spec.heads = 2;
  return {name, spec};
}

inline model::ModelSpec with_head(model::ModelSpec spec) {
  spec.head = experts::HeadKind::sb_moe;
  spec.head_experts = 4;
  return spec;
}

inline std::vector<Variant> variants() {
  using experts::RouterKind;
  std::vector<Variant> all = {variant("token_type", RouterKind::token_type, 4),
                              variant("index", RouterKind::index, 4),
                              variant("switch_sentence", RouterKind::switch_sentence, 4),
                              variant("top_2_sentence", RouterKind::top_k_sentence, 4, 2),
                              variant("more_experts_than_domains", RouterKind::top_k_token, 6, 2),
                              variant("random", RouterKind::random, 4),
                              variant("dense", RouterKind::dense, 1),
                              variant("multi_head", RouterKind::multi_head, 4, 2),
                              variant("enlarged_and_shared", RouterKind::top_k_token, 4, 2),
                              variant("balanced", RouterKind::top_k_token, 4),
                              {"head", with_head(test::tiny_spec())},
                              {"head_and_domains", with_head(spec())}};
  for (Variant& each : all) {
    if (each.name == "enlarged_and_shared") {
      each.spec.expert_mlp = experts::MlpKind::glu;
      each.spec.shared_expert = true;
    }
    each.spec.router_balance = each.name == "balanced";
  }
  return all;
}

inline std::vector<std::int64_t> expert_axes(std::int64_t ranks, const model::ModelSpec& model = spec()) {
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 1; axis <= ranks; ++axis)
    if (ranks % axis == 0 && model.expert_count % axis == 0 && model.head_experts % axis == 0) axes.push_back(axis);
  return axes;
}

}  // namespace coterie::train
