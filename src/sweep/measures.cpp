#include "sweep/measures.h"

#include "base/error.h"
#include "base/json_path.h"

namespace coterie::sweep {

std::optional<double> measure_of(const nlohmann::json& eval, std::string_view model, std::string_view measure) {
  if (model == kUntouched) {
    // A checkpoint of a run is called as its model is.
    const auto value = measure_of(eval, "model", measure);
    return value ? value : measure_of(eval, kTrained, measure);
  }
  // Searched collections have a part of their own in what an evaluation writes.
  constexpr std::string_view kRetrieval = "retrieval.";
  if (!measure.starts_with(kRetrieval)) return number_at(eval, str(model, ".", measure));
  return number_at(eval, str(kRetrieval, model, ".", measure.substr(kRetrieval.size())));
}

}  // namespace coterie::sweep
