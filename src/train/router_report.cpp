#include "train/router_report.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

namespace coterie::train {
namespace {

// -sum p log p of counts.
double entropy_nats(const at::Tensor& counts) {
  const at::Tensor p = counts.flatten() / counts.sum().clamp_min(1.0);
  return std::max(0.0, -at::xlogy(p, p).sum().item<double>());  // a single one has -0
}

}  // namespace

RouterReport router_report(const RouterSums& sums) {
  RouterReport report;
  report.layer = sums.layer;
  const at::Tensor assigned_E = sums.assigned_DE.sum({0});
  const at::Tensor load_E = (assigned_E / assigned_E.sum().clamp_min(1.0)).contiguous();
  const auto* load = load_E.const_data_ptr<double>();
  report.load.assign(load, load + load_E.numel());
  report.load_entropy_nats = entropy_nats(assigned_E);
  const at::Tensor known_DE = sums.assigned_DE.narrow(0, 0, sums.assigned_DE.size(0) - 1);
  const double domains = entropy_nats(known_DE.sum({1}));
  report.mutual_information_nats = std::max(0.0, domains + entropy_nats(known_DE.sum({0})) - entropy_nats(known_DE));
  const double most = std::min(domains, std::log(static_cast<double>(report.load.size())));
  if (most > 0.0) report.mutual_information_share = report.mutual_information_nats / most;
  report.dead_experts = static_cast<double>(std::count(report.load.begin(), report.load.end(), 0.0));
  if (sums.learned()) report.confidence = (sums.confidence / sums.units.clamp_min(1.0)).item<double>();
  return report;
}

std::vector<RouterReport> router_reports(const std::vector<RouterSums>& sums) {
  std::vector<RouterReport> reports;
  for (const RouterSums& layer : sums) reports.push_back(router_report(layer));
  return reports;
}

void RouterHistory::add(const std::vector<RouterSums>& sums) {
  train::add(sums_, sums);
  const std::vector<RouterReport> of_batch = router_reports(sums);
  dead_.resize(of_batch.size());
  for (std::size_t i = 0; i < of_batch.size(); ++i) dead_[i] += of_batch[i].dead_experts;
  ++batches_;
}

std::vector<RouterReport> RouterHistory::reports() const {
  std::vector<RouterReport> reports = router_reports(sums_);
  for (std::size_t i = 0; i < reports.size(); ++i) reports[i].dead_experts = dead_[i] / static_cast<double>(batches_);
  return reports;
}

Table router_table(const std::vector<RouterReport>& reports) {
  Table table({"layer", "experts", "least load", "most load", "entropy", "information", "of the most", "dead a step",
               "confidence"});
  for (const RouterReport& report : reports) {
    const auto [least, most] = std::minmax_element(report.load.begin(), report.load.end());
    table.add_row({report.of_head() ? "head" : std::to_string(report.layer), std::to_string(report.load.size()),
                   decimal(*least, 4), decimal(*most, 4), decimal(report.load_entropy_nats, 4),
                   decimal(report.mutual_information_nats, 4), decimal(report.mutual_information_share, 4),
                   decimal(report.dead_experts, 2), decimal(report.confidence, 4)});
  }
  return table;
}

}  // namespace coterie::train
