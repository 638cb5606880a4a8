// What a run left in its folder, as far as a report shows it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "report/pair_curves.h"

namespace coterie::report {

/// A run's files, read.
struct RunFiles {
  std::string name;
  std::string config;                   ///< config.toml, empty if there is none
  std::vector<nlohmann::json> metrics;  ///< the whole lines of metrics.jsonl
  nlohmann::json evaluation;            ///< eval.json, null if there is none
  std::vector<ScoredPairs> pairs;       ///< of `pairs.MODEL.csv` in the folder
};

/// @throws DataError naming file and line if one is not what its name says; IoError
[[nodiscard]] RunFiles read_run(const std::filesystem::path& folder);

/// The number at a path given in its parts; none if there is no number.
[[nodiscard]] std::optional<double> number_at(const nlohmann::json& object, const std::vector<std::string>& path);

/// A number of the metrics over the steps, by a path such as `validation.cisi.roc_auc` given in its parts.
[[nodiscard]] Series curve(const std::vector<nlohmann::json>& metrics, const std::vector<std::string>& path,
                           const std::string& name);

/// The domains of the evaluations in the metrics, in their order.
[[nodiscard]] std::vector<std::string> validated_domains(const std::vector<nlohmann::json>& metrics);

/// The comment lines at the start of a config: command, versions, hardware; without the `# `.
[[nodiscard]] std::string provenance_of(std::string_view config);

}  // namespace coterie::report
