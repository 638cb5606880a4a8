#include "sweep/measures.h"

#include <string>
#include <vector>

#include "base/error.h"
#include "base/json_path.h"
#include "sweep/significance.h"

namespace coterie::sweep {
namespace {

// Searched collections have a part of their own in what an evaluation writes.
constexpr std::string_view kRetrieval = "retrieval.";

std::string_view prefix_of(std::string_view measure) { return measure.starts_with(kRetrieval) ? kRetrieval : ""; }

/// What a mean is taken over: `a.measure` and `b.measure` of `a+b.measure`.
std::vector<std::string> terms_of(std::string_view measure) {
  const std::string_view prefix = prefix_of(measure);
  std::string_view rest = measure.substr(prefix.size());
  const std::size_t dot = rest.find('.', rest.rfind('+') + 1);
  if (dot == std::string_view::npos) return {};
  const std::string_view name = rest.substr(dot);
  rest = rest.substr(0, dot);
  std::vector<std::string> terms;
  while (true) {
    const std::size_t plus = rest.find('+');
    terms.push_back(str(prefix, rest.substr(0, plus), name));
    if (plus == std::string_view::npos) return terms;
    rest.remove_prefix(plus + 1);
  }
}

}  // namespace

std::optional<double> value_of(std::string_view measure,
                               const std::function<std::optional<double>(std::string_view)>& find) {
  // First as it is: a domain may have a '+' in its name.
  if (const auto value = find(measure)) return value;
  std::vector<double> values;
  for (const std::string& term : terms_of(measure)) {
    const auto value = find(term);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values.empty() ? std::nullopt : std::optional(mean_of(values));
}

bool is_of(std::string_view measure, std::string_view domain) {
  return measure.substr(prefix_of(measure).size()).starts_with(str(domain, "."));
}

std::optional<double> measure_of(const nlohmann::json& eval, std::string_view model, std::string_view measure) {
  if (model == kUntouched) {
    // A checkpoint of a run is called as its model is.
    const auto value = measure_of(eval, "model", measure);
    return value ? value : measure_of(eval, kTrained, measure);
  }
  return value_of(measure, [&](std::string_view term) {
    const std::string_view prefix = prefix_of(term);
    return number_at(eval, str(prefix, model, ".", term.substr(prefix.size())));
  });
}

}  // namespace coterie::sweep
