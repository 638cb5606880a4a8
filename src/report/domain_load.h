// Which experts the tokens of each domain went to, as a run's log has it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace coterie::report {

/// One layer, or the head.
struct LayerLoad {
  std::string name;                       ///< `layer 3`, `the head`
  std::vector<std::string> domains;       ///< [D]
  std::vector<std::vector<double>> load;  ///< [D][E] share of the domain's assignments; a row sums to 1
};

/// All layers with experts and the head, over the steps from `first` to `last`.
struct DomainLoad {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::vector<LayerLoad> layers;
};

/// What the last line that has a `domain_load` says; no layer if there is none.
/// @param path  of the metrics, for messages
/// @throws DataError naming step and layer, or the head, if it is not what it should be
[[nodiscard]] DomainLoad last_domain_load(const std::vector<nlohmann::json>& metrics,
                                          const std::filesystem::path& path);

/// A figure for each layer and the head: domains as rows, experts as columns.
[[nodiscard]] std::string domain_load_figures(const DomainLoad& load);

}  // namespace coterie::report
