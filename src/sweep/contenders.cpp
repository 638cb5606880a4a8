#include "sweep/contenders.h"

#include <algorithm>

#include "base/error.h"
#include "sweep/measures.h"

namespace coterie::sweep {
namespace {

std::optional<double> at(const Values& values, const std::string& seed) {
  if (values.of_all) return values.of_all;
  const auto found = values.by_seed.find(seed);
  return found == values.by_seed.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

std::vector<double> Values::plain() const {
  if (of_all) return {*of_all};
  std::vector<double> out;
  for (const auto& [seed, value] : by_seed) out.push_back(value);
  return out;
}

std::vector<double> differences(const Values& values, const Values& others) {
  if (values.of_all && others.of_all) return {*values.of_all - *others.of_all};
  std::vector<double> out;
  for (const auto& [seed, ignored] : (values.of_all ? others : values).by_seed) {
    const auto value = at(values, seed);
    const auto other = at(others, seed);
    if (value && other) out.push_back(*value - *other);
  }
  return out;
}

Values Contender::values(const std::vector<CellState>& states, const std::string& measure) const {
  Values values;
  for (const auto& [seed, cell] : cells_) {
    if (!states[cell].result) continue;
    const auto value = measure_of(states[cell].result->eval, is_reference_ ? name_ : kTrained, measure);
    if (is_reference_)
      values.of_all = value;
    else if (value)
      values.by_seed[seed] = *value;
  }
  return values;
}

std::optional<MeanCost> Contender::cost(const std::vector<CellState>& states) const {
  MeanCost mean;
  double finished = 0.0;
  for (const auto& [seed, cell] : cells_) {
    if (is_reference_ || !states[cell].result) continue;
    const Cost& cost = states[cell].result->cost;
    mean.seconds += cost.seconds;
    mean.core_seconds += cost.core_seconds;
    mean.peak_mib = std::max(mean.peak_mib, cost.peak_mib);
    ++finished;
  }
  if (finished == 0.0) return std::nullopt;
  mean.seconds /= finished;
  mean.core_seconds /= finished;
  return mean;
}

std::vector<Contender> contenders_of(const Plan& plan) {
  std::vector<Contender> contenders;
  const auto find = [&](const std::string& name) {
    return std::find_if(contenders.begin(), contenders.end(), [&](const Contender& c) { return c.name() == name; });
  };
  const auto expect_new = [&](const std::string& name) {
    if (find(name) != contenders.end())
      throw ConfigError(str("sweep: cells and what is measured beside them (eval.untouched, eval.baselines) must have ",
                            "different names, got '", name, "' twice"));
  };
  for (std::size_t cell = 0; cell < plan.cells.size(); ++cell) {
    const PlannedCell& planned = plan.cells[cell];
    if (planned.references.empty()) {
      if (find(planned.cell.name) == contenders.end()) contenders.emplace_back(planned.cell.name);
      find(planned.cell.name)->add(planned.cell.seed, cell);
      continue;
    }
    expect_new(planned.cell.name);
    for (const std::string& reference : planned.references) {
      expect_new(reference);
      contenders.emplace_back(reference, cell);
    }
  }
  return contenders;
}

}  // namespace coterie::sweep
