#include "train/router_balance.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "experts/upcycling.h"

namespace coterie::train {

RouterBalance::RouterBalance(const model::SentenceEncoder& model, double rate)
    : model_(model),
      rate_(rate),
      counts_NE_(at::zeros({static_cast<std::int64_t>(model.spec.expert_layers.size()), model.spec.expert_count},
                           at::kLong)) {}

void RouterBalance::count(const std::vector<experts::Plans>& pieces) {
  if (!model_.spec.router_balance) return;
  const std::vector<std::int64_t>& layers = model_.spec.expert_layers;
  counts_NE_.zero_();
  for (const experts::Plans& piece : pieces) {
    for (const experts::RouterRecord& record : piece.records()) {
      const auto place = std::find(layers.begin(), layers.end(), record.layer);
      if (place == layers.end()) continue;
      counts_NE_[place - layers.begin()] +=
          at::bincount(record.scores.expert_UK.flatten().cpu(), {}, model_.spec.expert_count);
    }
  }
}

void RouterBalance::update(const dist::ProcessGroup& world) const {
  if (!model_.spec.router_balance) return;
  const c10::NoGradGuard no_grad;
  at::Tensor load_NE = counts_NE_.clone();
  world.all_reduce(load_NE);
  // Whole numbers, times E: experts at exactly the mean stay as they are.
  const at::Tensor missing_NE = load_NE.sum(1, /*keepdim=*/true) - load_NE * model_.spec.expert_count;
  for (std::size_t i = 0; i < model_.spec.expert_layers.size(); ++i) {
    at::Tensor bias_E = model_.parameters->at(experts::balance_tensor(model_.spec.expert_layers[i]));
    bias_E.add_(missing_NE[static_cast<std::int64_t>(i)].sign().to(bias_E.options()), rate_);
  }
}

}  // namespace coterie::train
