#include "train/auxiliary_loss.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "base/error.h"

namespace coterie::train {
namespace {

at::Tensor load_balance(const RouterSums& sums) {
  // Of the units that the router decides for, like the probabilities: long sequences weigh as much as short ones.
  const at::Tensor share_E = sums.chosen_E / sums.chosen_E.sum().clamp_min(1.0);
  const at::Tensor mean_E = sums.probability_DE.sum({0}) / sums.units.clamp_min(1.0);
  return static_cast<double>(share_E.size(0)) * (share_E * mean_E).sum();
}

at::Tensor router_z(const RouterSums& sums) { return sums.squared_log_sum / sums.units.clamp_min(1.0); }

at::Tensor specified_expert(const RouterSums& sums) { return sums.cross_entropy / sums.labelled.clamp_min(1.0); }

// Sum of x log x, zero at zero.
at::Tensor x_log_x(const at::Tensor& x) { return (x * x.clamp_min(1e-300).log()).sum(); }

at::Tensor negative_mutual_information(const RouterSums& sums) {
  const at::Tensor known_DE = sums.probability_DE.narrow(0, 0, sums.probability_DE.size(0) - 1);
  const at::Tensor p_DE = known_DE / known_DE.sum().clamp_min(1e-300);
  return x_log_x(p_DE.sum({1})) + x_log_x(p_DE.sum({0})) - x_log_x(p_DE);
}

void expect_applicable(const AuxiliaryOptions& options, std::span<const RouterSums> sums) {
  if (!options.any()) return;
  const bool learned =
      !sums.empty() && std::all_of(sums.begin(), sums.end(), [](const auto& s) { return s.learned(); });
  COTERIE_CHECK(ShapeError, learned, "auxiliary loss: a layer has no learned router");
  for (const RouterSums& layer : sums) {
    const std::int64_t domains = layer.assigned_DE.size(0) - 1;
    const std::int64_t experts = layer.assigned_DE.size(1);
    COTERIE_CHECK(ShapeError, options.specified_expert == 0 || domains <= experts, "auxiliary loss: ", domains,
                  " domains, and ", experts, " experts to specify");
  }
}

}  // namespace

AuxiliaryLoss auxiliary_loss(const AuxiliaryOptions& options, std::span<const RouterSums> sums) {
  expect_applicable(options, sums);
  AuxiliaryLoss loss;
  const double layers = static_cast<double>(sums.size());
  for (const RouterSums& reduced : sums) {
    loss.gradients.emplace_back();
    if (!reduced.learned()) continue;
    const at::AutoGradMode graph(true);
    RouterSums leaf = reduced;
    for (at::Tensor* field : {&leaf.probability_DE, &leaf.squared_log_sum, &leaf.cross_entropy})
      *field = field->detach().clone().requires_grad_();
    at::Tensor total = at::zeros({}, at::kDouble);
    const auto add = [&](double weight, at::Tensor (*term)(const RouterSums&), double& value) {
      if (weight == 0.0) return;
      const at::Tensor mean = term(leaf) / layers;
      value += mean.item<double>();
      total = total + weight * mean;
    };
    add(options.load_balance, load_balance, loss.values.load_balance);
    add(options.router_z, router_z, loss.values.router_z);
    add(options.specified_expert, specified_expert, loss.values.specified_expert);
    add(options.mutual_information, negative_mutual_information, loss.values.mutual_information);
    if (total.requires_grad()) torch::autograd::backward({total}, {});
    loss.values.total += total.item<double>();
    loss.gradients.back() = {leaf.probability_DE.grad(), leaf.squared_log_sum.grad(), leaf.cross_entropy.grad()};
  }
  return loss;
}

}  // namespace coterie::train
