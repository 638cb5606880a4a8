// Measures of an evaluation, by the names that `sweep.measures` gives them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

namespace coterie::sweep {

/// What a sweep calls the checkpoint that its cells start from.
inline constexpr std::string_view kUntouched = "untouched";
/// What `coterie eval` calls the model of a run.
inline constexpr std::string_view kTrained = "trained";

/// A measure of a model or baseline, by `domain.measure` or `retrieval.collection.measure`.
/// @param eval   as `coterie eval` wrote it
/// @param model  as it is called there, or `kUntouched` for the only one there
[[nodiscard]] std::optional<double> measure_of(const nlohmann::json& eval, std::string_view model,
                                               std::string_view measure);

}  // namespace coterie::sweep
