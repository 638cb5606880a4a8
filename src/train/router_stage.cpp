#include "train/router_stage.h"

#include <c10/core/GradMode.h>

#include "kernels/upload.h"

namespace coterie::train {

void RouterStage::add(const data::PackedSequences& piece, const experts::Plans& plans) {
  const c10::NoGradGuard no_grad;
  std::vector<RouterSums> more;
  for (const experts::RouterRecord& record : plans.records())
    more.push_back(
        router_sums(record, piece, domains_, record.layer == experts::kHeadLayer ? head_experts_ : experts_));
  train::add(sums_, more);
}

void RouterStage::reduce(const dist::ProcessGroup& world) {
  all_reduce(world, sums_);
  loss_ = auxiliary_loss(options_, of_layers(sums_));
}

void RouterStage::append(const data::PackedSequences& piece, const experts::Plans& plans, Roots& roots) const {
  const auto root = [&](const at::Tensor& sum, const at::Tensor& gradient) {
    if (!gradient.defined() || !sum.requires_grad()) return;
    roots.tensors.push_back(sum);
    roots.gradients.push_back(kernels::upload(gradient.to(sum.scalar_type()), sum.device()));
  };
  for (std::size_t i = 0; i < loss_.gradients.size(); ++i) {
    const RouterGradient& gradient = loss_.gradients[i];
    const bool wanted =
        gradient.probability_DE.defined() || gradient.squared_log_sum.defined() || gradient.cross_entropy.defined();
    if (!wanted) continue;
    const RouterSums sums = differentiable_sums(plans.records().at(i).scores, piece.domain, domains_);
    root(sums.probability_DE, gradient.probability_DE);
    root(sums.squared_log_sum, gradient.squared_log_sum);
    root(sums.cross_entropy, gradient.cross_entropy);
  }
}

}  // namespace coterie::train
