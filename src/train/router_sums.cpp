#include "train/router_sums.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "kernels/upload.h"

namespace coterie::train {
namespace {

// The row of each sequence in a table by domain: D for those of none.
std::vector<std::int64_t> domain_rows(const std::vector<std::int32_t>& domain, std::int64_t domains) {
  std::vector<std::int64_t> rows;
  rows.reserve(domain.size());
  for (const std::int32_t d : domain) rows.push_back(d >= 0 && d < domains ? d : domains);
  return rows;
}

// How often each of the numbers below `size` occurs. `bincount` would wait for a GPU.
at::Tensor occurrences(const at::Tensor& numbers, std::int64_t size) {
  return at::zeros({size}, numbers.options()).index_add(0, numbers, at::ones_like(numbers));
}

// The row of each unit that a record's choice is of: of each sequence for the head, otherwise of each token.
std::vector<std::int64_t> chosen_rows(const experts::RouterRecord& record, const data::PackedSequences& sequences,
                                      std::int64_t domains) {
  const std::vector<std::int64_t> of_sequence = domain_rows(sequences.domain, domains);
  if (record.layer == experts::kHeadLayer) return of_sequence;
  std::vector<std::int64_t> row = experts::sequence_of_tokens({sequences.offsets, {}, {}});
  for (std::int64_t& sequence : row) sequence = of_sequence.at(static_cast<std::size_t>(sequence));
  return row;
}

// Assignments to each expert, by domain.
at::Tensor assigned(const experts::RouterRecord& record, const data::PackedSequences& sequences, std::int64_t domains,
                    std::int64_t experts) {
  const experts::Choice& choice = record.choice;
  const at::Tensor row_S =
      at::tensor(chosen_rows(record, sequences, domains), at::kLong).index_select(0, choice.token_S);
  const at::Tensor cell_S = kernels::upload(row_S, choice.expert_S.device()) * experts + choice.expert_S;
  return occurrences(cell_S, (domains + 1) * experts).view({domains + 1, experts});
}

// Sum over the sequences that have an expert of their domain, and their number.
std::pair<at::Tensor, at::Tensor> domain_cross_entropy(const experts::Scores& scores, const at::Tensor& row_B,
                                                       std::int64_t domains) {
  const at::Tensor& logits_UE = scores.logits_UE;
  const std::int64_t experts = logits_UE.size(1);
  const at::Tensor units_B = at::zeros({row_B.size(0)}, logits_UE.options())
                                 .index_add(0, scores.sequence_U, at::ones({logits_UE.size(0)}, logits_UE.options()));
  const at::Tensor mean_BE =
      at::zeros({row_B.size(0), experts}, logits_UE.options()).index_add(0, scores.sequence_U, logits_UE) /
      units_B.clamp_min(1).unsqueeze(1);
  const at::Tensor labelled_B = row_B.lt(std::min(domains, experts));
  const at::Tensor label_B = at::where(labelled_B, row_B, at::zeros_like(row_B));
  const at::Tensor term_B = mean_BE.logsumexp({1}) - mean_BE.gather(1, label_B.unsqueeze(1)).squeeze(1);
  return {(term_B * labelled_B).sum(), labelled_B.sum()};
}

// The fields in a fixed order; undefined ones left out.
std::vector<at::Tensor*> fields(RouterSums& sums) {
  std::vector<at::Tensor*> all = {&sums.probability_DE, &sums.squared_log_sum, &sums.cross_entropy, &sums.assigned_DE,
                                  &sums.chosen_E,       &sums.confidence,      &sums.units,         &sums.labelled};
  std::erase_if(all, [](const at::Tensor* field) { return !field->defined(); });
  return all;
}

}  // namespace

RouterSums differentiable_sums(const experts::Scores& scores, const std::vector<std::int32_t>& domain,
                               std::int64_t domains) {
  const at::Tensor& p_UE = scores.probability_UE;
  const at::Tensor row_B = kernels::upload(domain_rows(domain, domains), p_UE.device());
  const at::Tensor row_U = row_B.index_select(0, scores.sequence_U);
  RouterSums sums;
  sums.probability_DE = at::zeros({domains + 1, p_UE.size(1)}, p_UE.options()).index_add(0, row_U, p_UE);
  sums.squared_log_sum = scores.logits_UE.logsumexp({1}).square().sum();
  std::tie(sums.cross_entropy, sums.labelled) = domain_cross_entropy(scores, row_B, domains);
  return sums;
}

std::span<const RouterSums> of_layers(std::span<const RouterSums> sums) {
  return !sums.empty() && sums.back().of_head() ? sums.first(sums.size() - 1) : sums;
}

RouterSums router_sums(const experts::RouterRecord& record, const data::PackedSequences& sequences,
                       std::int64_t domains, std::int64_t experts) {
  const experts::Scores& scores = record.scores;
  const bool learned = scores.logits_UE.defined();
  RouterSums sums = learned ? differentiable_sums(scores, sequences.domain, domains) : RouterSums{};
  sums.layer = record.layer;
  sums.assigned_DE = assigned(record, sequences, domains, experts);
  if (!learned) return sums;
  sums.chosen_E = occurrences(scores.expert_UK.flatten(), experts);
  sums.confidence = scores.probability_UE.detach().amax({1}).sum();
  sums.units = at::full({}, scores.probability_UE.size(0), sums.chosen_E.options());
  return sums;
}

void add(std::vector<RouterSums>& sums, const std::vector<RouterSums>& more) {
  const c10::NoGradGuard no_grad;
  if (sums.empty())
    for (RouterSums zero : more) {
      for (at::Tensor* field : fields(zero)) *field = at::zeros(field->sizes(), field->options().dtype(at::kDouble));
      sums.push_back(std::move(zero));
    }
  COTERIE_CHECK(ShapeError, sums.size() == more.size(), "routers: ", sums.size(), " layers, then ", more.size());
  for (std::size_t i = 0; i < more.size(); ++i) {
    RouterSums added = more[i];
    const std::vector<at::Tensor*> from = fields(added);
    const std::vector<at::Tensor*> to = fields(sums[i]);
    COTERIE_CHECK(ShapeError, from.size() == to.size() && added.layer == sums[i].layer, "routers: layer ",
                  sums[i].layer, ", then layer ", added.layer);
    for (std::size_t k = 0; k < from.size(); ++k) *to[k] += from[k]->detach().to(at::kDouble);
  }
}

void all_reduce(const dist::ProcessGroup& group, std::vector<RouterSums>& sums) {
  std::vector<at::Tensor> parts;
  std::vector<std::int64_t> sizes;
  for (RouterSums& layer : sums)
    for (const at::Tensor* field : fields(layer)) {
      parts.push_back(field->flatten());
      sizes.push_back(field->numel());
    }
  if (parts.empty()) return;
  // Routes that the host knows were counted there, others where the model is.
  const auto away = std::find_if(parts.begin(), parts.end(), [](const at::Tensor& p) { return !p.device().is_cpu(); });
  if (away != parts.end()) {
    const at::Device device = away->device();
    for (at::Tensor& part : parts)
      if (part.device() != device) part = kernels::upload(part, device);
  }
  at::Tensor flat = at::cat(parts).cpu();
  group.all_reduce(flat);
  std::size_t next = 0;
  const std::vector<at::Tensor> reduced = flat.split_with_sizes(sizes);
  for (RouterSums& layer : sums)
    for (at::Tensor* field : fields(layer)) {
      *field = reduced[next].view(field->sizes());
      ++next;
    }
}

}  // namespace coterie::train
