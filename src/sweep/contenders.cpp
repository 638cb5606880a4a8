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

std::vector<std::string> Contender::seeds() const {
  std::vector<std::string> seeds;
  for (const auto& [seed, ignored] : parts_.front().cells)
    if (std::all_of(parts_.begin(), parts_.end(), [&](const Part& part) { return part.cells.contains(seed); }))
      seeds.push_back(seed);
  return seeds;
}

std::int64_t Contender::planned() const {
  return kind_ == Kind::reference ? 0 : static_cast<std::int64_t>(seeds().size());
}

std::optional<double> Contender::value(const std::vector<CellState>& states, const std::string& seed,
                                       std::string_view measure) const {
  return value_of(measure, [&](std::string_view term) -> std::optional<double> {
    const auto part = std::find_if(parts_.begin(), parts_.end(),
                                   [&](const Part& p) { return p.domain.empty() || is_of(term, p.domain); });
    if (part == parts_.end()) return std::nullopt;
    const auto& result = states[part->cells.at(seed)].result;
    if (!result) return std::nullopt;
    return measure_of(result->eval, kind_ == Kind::reference ? name_ : kTrained, term);
  });
}

Values Contender::values(const std::vector<CellState>& states, const std::string& measure) const {
  Values values;
  for (const std::string& seed : seeds()) {
    const auto value = this->value(states, seed, measure);
    if (kind_ == Kind::reference)
      values.of_all = value;
    else if (value)
      values.by_seed[seed] = *value;
  }
  return values;
}

std::optional<MeanCost> Contender::cost(const std::vector<CellState>& states) const {
  if (kind_ == Kind::reference) return std::nullopt;
  MeanCost mean;
  double finished = 0.0;
  for (const std::string& seed : seeds()) {
    const auto is_finished = [&](const Part& part) { return states[part.cells.at(seed)].result.has_value(); };
    if (!std::all_of(parts_.begin(), parts_.end(), is_finished)) continue;
    for (const Part& part : parts_) {
      const Cost& cost = states[part.cells.at(seed)].cost;
      mean.seconds += cost.seconds;
      mean.core_seconds += cost.core_seconds;
      mean.peak_mib = std::max(mean.peak_mib, cost.peak_mib);
    }
    ++finished;
  }
  if (finished == 0.0) return std::nullopt;
  mean.seconds /= finished;
  mean.core_seconds /= finished;
  return mean;
}

std::vector<Contender> contenders_of(const Plan& plan) {
  using Kind = Contender::Kind;
  std::vector<Contender> contenders;
  const auto find = [&](const std::string& name) {
    return std::find_if(contenders.begin(), contenders.end(), [&](const Contender& c) { return c.name() == name; });
  };
  const auto expect_new = [&](const std::string& name) {
    if (find(name) != contenders.end())
      throw ConfigError(str("sweep: cells, sweep.composed and what is measured beside them (eval.untouched, ",
                            "eval.baselines) must have different names, got '", name, "' twice"));
  };
  for (std::size_t cell = 0; cell < plan.cells.size(); ++cell) {
    const PlannedCell& planned = plan.cells[cell];
    if (!planned.references.empty()) continue;
    if (find(planned.cell.name) == contenders.end())
      contenders.emplace_back(planned.cell.name, Kind::combination, std::vector<Contender::Part>(1));
    find(planned.cell.name)->add(planned.cell.seed, cell);
  }
  for (const Composed& composed : plan.composed) {
    std::vector<Contender::Part> parts;
    for (const Setting& part : composed.parts) parts.push_back({part.key, find(part.value)->parts().front().cells});
    expect_new(composed.name);
    contenders.emplace_back(composed.name, Kind::composed, std::move(parts));
  }
  for (std::size_t cell = 0; cell < plan.cells.size(); ++cell) {
    const PlannedCell& planned = plan.cells[cell];
    if (planned.references.empty()) continue;
    expect_new(planned.cell.name);
    for (const std::string& reference : planned.references) {
      expect_new(reference);
      contenders.emplace_back(reference, Kind::reference, std::vector<Contender::Part>{{"", {{"", cell}}}});
    }
  }
  return contenders;
}

const Contender& contender_named(const std::vector<Contender>& contenders, const std::string& name,
                                 std::string_view said_by) {
  const auto found =
      std::find_if(contenders.begin(), contenders.end(), [&](const Contender& c) { return c.name() == name; });
  if (found != contenders.end()) return *found;
  std::vector<std::string> names;
  for (const Contender& contender : contenders) names.push_back(contender.name());
  throw ConfigError(str("sweep: ", said_by, " must be one of ", joined(names, " | "), ", got '", name, "'"));
}

}  // namespace coterie::sweep
