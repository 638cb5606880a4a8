// Measures of an evaluation, by the names that `sweep.measures` gives them.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

namespace coterie::sweep {

/// What a sweep calls the checkpoint that its cells start from.
inline constexpr std::string_view kUntouched = "untouched";
/// What `coterie eval` calls the model of a run.
inline constexpr std::string_view kTrained = "trained";

/// The value of a measure, given how to find that of one domain or collection. `a+b.measure` is the mean of `a.measure`
/// and `b.measure`, and `retrieval.a+b.measure` of collections; none if one of them is none.
[[nodiscard]] std::optional<double> value_of(std::string_view measure,
                                             const std::function<std::optional<double>(std::string_view)>& find);

/// Whether a measure is of this domain or collection.
[[nodiscard]] bool is_of(std::string_view measure, std::string_view domain);

/// A measure of a model or baseline, by the names of `value_of`.
/// @param eval   as `coterie eval` wrote it
/// @param model  as it is called there, or `kUntouched` for the only one there
[[nodiscard]] std::optional<double> measure_of(const nlohmann::json& eval, std::string_view model,
                                               std::string_view measure);

}  // namespace coterie::sweep
