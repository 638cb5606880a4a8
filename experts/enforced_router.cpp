#include "experts/enforced_router.h"

#include <ATen/Functions.h>

#include <algorithm>

#include "base/error.h"

namespace coterie::experts {
namespace {

// What names an expert, and in whom.
const char* label_of(Enforced by) {
  switch (by) {
    case Enforced::index:
      return "the expert of a text";
    case Enforced::token_type:
      return "the type of a token";
    case Enforced::domain:
    case Enforced::one:
      break;
  }
  return "the domain of a text";
}

}  // namespace

void EnforcedRouter::refuse(std::int64_t label, const std::string& place) const {
  throw DataError(str("router: ", label_of(by_), " must be in 0..", experts_ - 1, ", got ",
                      label < 0 ? "none" : std::to_string(label), " (", place, ")"));
}

std::span<const std::int32_t> EnforcedRouter::labels_of(const BatchLayout& layout) const {
  const bool named = by_ == Enforced::index;
  const std::span<const std::int32_t> labels = named ? layout.expert : layout.domain;
  if (named && labels.empty() && layout.offsets.size() > 1)
    throw DataError(
        "router: experts.router 'index' needs texts that name an 'expert', got texts that name none (a corpus, an "
        "input or a collection without them)");
  COTERIE_CHECK(ShapeError, labels.size() + 1 == layout.offsets.size(), "router: ", labels.size(), " ",
                named ? "experts" : "domains", " for ", static_cast<std::int64_t>(layout.offsets.size()) - 1,
                " sequences");
  // Where it stands among all, if that is known: it may be another rank's.
  const bool global = layout.sequence_index.size() == labels.size();
  for (std::size_t b = 0; b < labels.size(); ++b)
    if (!has(labels[b]))
      refuse(labels[b], global ? str("sequence ", layout.sequence_index[b], " of the global batch")
                               : str("sequence ", b, " of the batch"));
  return labels;
}

at::Tensor EnforcedRouter::of_sequences(const BatchLayout& layout) const {
  const std::span<const std::int32_t> labels = labels_of(layout);
  at::Tensor expert_T = at::empty({layout.offsets.back()}, at::kLong);
  auto* expert = expert_T.mutable_data_ptr<std::int64_t>();
  for (std::size_t b = 0; b < labels.size(); ++b)
    std::fill(expert + layout.offsets[b], expert + layout.offsets[b + 1], labels[b]);
  return expert_T;
}

at::Tensor EnforcedRouter::of_tokens(const BatchLayout& layout) const {
  const std::int64_t tokens = layout.offsets.back();
  at::Tensor expert_T = at::zeros({tokens}, at::kLong);
  if (by_ == Enforced::one) return expert_T;
  COTERIE_CHECK(ShapeError, static_cast<std::int64_t>(layout.token_type.size()) == tokens,
                "router: ", layout.token_type.size(), " token types for ", tokens, " tokens");
  auto* expert = expert_T.mutable_data_ptr<std::int64_t>();
  for (std::size_t t = 0; t < layout.token_type.size(); ++t) {
    if (!has(layout.token_type[t])) refuse(layout.token_type[t], str("token ", t, " of the batch"));
    expert[t] = layout.token_type[t];
  }
  return expert_T;
}

std::vector<std::int64_t> EnforcedRouter::counts(const BatchLayout& layout, const RouterNoise& /*noise*/) const {
  if (by_ == Enforced::token_type) return {};
  std::vector<std::int64_t> counts_E(static_cast<std::size_t>(experts_), 0);
  if (by_ == Enforced::one) {
    counts_E[0] = layout.offsets.back();
    return counts_E;
  }
  const std::span<const std::int32_t> labels = labels_of(layout);
  for (std::size_t b = 0; b < labels.size(); ++b)
    counts_E[static_cast<std::size_t>(labels[b])] += layout.offsets[b + 1] - layout.offsets[b];
  return counts_E;
}

Routing EnforcedRouter::route(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& /*noise*/,
                              const Choice* replay) const {
  if (replay != nullptr) return {*replay, {}, {}};
  const std::int64_t tokens = tokens_TD.size(0);
  COTERIE_CHECK(ShapeError, !layout.offsets.empty() && layout.offsets.back() == tokens, "router: offsets end at ",
                layout.offsets.empty() ? 0 : layout.offsets.back(), ", there are ", tokens, " tokens");
  const bool by_sequence = by_ == Enforced::domain || by_ == Enforced::index;
  return {{at::arange(tokens, at::kLong), by_sequence ? of_sequences(layout) : of_tokens(layout)}, {}, {}};
}

}  // namespace coterie::experts
