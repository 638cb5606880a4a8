// What `coterie eval` wrote of a run, as tables.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace coterie::report {

/// The pairs: measures by model and domain, their bootstrap intervals, and for each model the average precision of a
/// domain's pairs embedded as of another. Each as far as it was measured; nothing if nothing was.
/// @throws nlohmann::json::exception if a part of it is something else
[[nodiscard]] std::string pair_tables(const nlohmann::json& evaluation);

/// The searched collections by model; nothing if there is none.
/// @throws as `pair_tables`
[[nodiscard]] std::string retrieval_table(const nlohmann::json& evaluation);

}  // namespace coterie::report
