#include "train/domain_load.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <utility>

#include "base/error.h"

namespace coterie::train {
namespace {

LayerLoad layer_load(const RouterSums& sums, const std::vector<std::string>& domains) {
  LayerLoad out{.layer = sums.layer, .domains = {}, .load = {}};
  for (std::size_t d = 0; d < domains.size(); ++d) {
    const at::Tensor assigned_E = sums.assigned_DE[static_cast<std::int64_t>(d)];
    const double all = assigned_E.sum().item<double>();
    if (all == 0.0) continue;
    const at::Tensor share_E = (assigned_E / all).contiguous();
    const auto* share = share_E.const_data_ptr<double>();
    out.domains.push_back(domains[d]);
    out.load.emplace_back(share, share + share_E.numel());
  }
  return out;
}

}  // namespace

void DomainLoads::add(const std::vector<RouterSums>& step) {
  std::vector<RouterSums> counts(step.size());
  for (std::size_t i = 0; i < step.size(); ++i) {
    COTERIE_CHECK(ShapeError, step[i].assigned_DE.size(0) == static_cast<std::int64_t>(domains_.size()) + 1,
                  "domain load: sums must have ", domains_.size() + 1, " rows, got ", step[i].assigned_DE.size(0));
    counts[i].layer = step[i].layer;
    counts[i].assigned_DE = step[i].assigned_DE;
  }
  train::add(sums_, counts);
  ++steps_;
}

DomainLoad DomainLoads::take() {
  DomainLoad out{.steps = std::exchange(steps_, 0), .layers = {}};
  for (const RouterSums& sums : std::exchange(sums_, {})) out.layers.push_back(layer_load(sums, domains_));
  return out;
}

}  // namespace coterie::train
