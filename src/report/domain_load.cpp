#include "report/domain_load.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "report/figures.h"
#include "report/json_fields.h"

namespace coterie::report {
namespace {

using nlohmann::json;

/// A row of shares: numbers from 0 to 1 that sum to 1.
std::vector<double> shares_of(const json& row, const std::string& place) {
  const auto is_share = [](const json& value) {
    return value.is_number() && value.get<double>() >= 0.0 && value.get<double>() <= 1.0;
  };
  if (!row.is_array() || !std::all_of(row.begin(), row.end(), is_share))
    throw DataError(str("report: 'load' must have rows of numbers from 0 to 1 (", place, ")"));
  auto shares = row.get<std::vector<double>>();
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  // Each of up to 4096 shares is rounded by itself.
  if (std::abs(sum - 1.0) > 1e-9)
    throw DataError(str("report: each row of 'load' must sum to 1, got ", sum, " (", place, ")"));
  return shares;
}

LayerLoad layer_load(const json& object, const std::string& name, const std::string& place_of_line) {
  LayerLoad out{.name = name, .domains = {}, .load = {}};
  const std::string place = str(place_of_line, ", ", name);
  for (const json& domain : list_field(object, "domains", place)) {
    if (!domain.is_string()) throw DataError(str("report: 'domains' must be names (", place, ")"));
    out.domains.push_back(domain.get<std::string>());
  }
  for (const json& row : list_field(object, "load", place)) out.load.push_back(shares_of(row, place));
  if (out.load.size() != out.domains.size())
    throw DataError(str("report: 'load' must have a row for each of ", out.domains.size(), " domains, got ",
                        out.load.size(), " (", place, ")"));
  for (const auto& row : out.load)
    if (row.size() != out.load[0].size())
      throw DataError(str("report: rows of 'load' must have ", out.load[0].size(), " experts like the first, got ",
                          row.size(), " (", place, ")"));
  return out;
}

}  // namespace

DomainLoad last_domain_load(const std::vector<json>& metrics, const std::filesystem::path& path) {
  const auto line = std::find_if(metrics.rbegin(), metrics.rend(),
                                 [](const json& candidate) { return candidate.contains("domain_load"); });
  if (line == metrics.rend()) return {};
  DomainLoad out;
  out.last = line->at("step").get<std::int64_t>();
  const std::string place = str(path.string(), ", step ", out.last, ", domain_load");
  const json& object = line->at("domain_load");
  const std::int64_t steps = integer_field(object, "steps", place);
  if (steps < 1 || steps > out.last)
    throw DataError(str("report: 'steps' must be in 1..", out.last, ", got ", steps, " (", place, ")"));
  out.first = out.last - steps + 1;
  for (const json& layer : list_field(object, "layers", place))
    out.layers.push_back(layer_load(layer, str("layer ", integer_field(layer, "layer", place)), place));
  if (object.contains("head")) out.layers.push_back(layer_load(object.at("head"), "the head", place));
  return out;
}

std::string domain_load_figures(const DomainLoad& load) {
  const std::string steps =
      load.first == load.last ? str("step ", load.last) : str("steps ", load.first, " to ", load.last);
  std::string out;
  for (const LayerLoad& layer : load.layers) {
    Shares shares{.title = str("Experts of each domain in ", layer.name, ", ", steps),
                  .rows = layer.domains,
                  .columns = {},
                  .values = layer.load};
    for (std::size_t e = 0; !layer.load.empty() && e < layer.load[0].size(); ++e) shares.columns.push_back(str(e));
    out += shares_figure(shares);
  }
  return out;
}

}  // namespace coterie::report
