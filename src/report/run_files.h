// What a run left in its folder, as far as a report shows it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "report/domain_load.h"
#include "report/examples.h"
#include "report/pair_curves.h"
#include "report/projection.h"

namespace coterie::report {

/// A run's files, read.
struct RunFiles {
  std::string name;
  std::string config;                   ///< config.toml, empty if there is none
  std::vector<nlohmann::json> metrics;  ///< the whole lines of metrics.jsonl
  nlohmann::json evaluation;            ///< eval.json, null if there is none
  DomainLoad domain_load;               ///< the last one in the metrics
  /// Of `pairs.MODEL.csv` in the folder; of these and the following, what eval.json names, or what is newer.
  std::vector<ScoredPairs> pairs;
  std::vector<Projection> projections;  ///< of `projection.MODEL.csv`
  std::vector<Examples> examples;       ///< of `examples.MODEL.COLLECTION.json`
};

/// @throws DataError naming file and line if one is not what its name says; IoError
[[nodiscard]] RunFiles read_run(const std::filesystem::path& folder);

/// A number of the metrics over the steps, by a path such as `validation.cisi.roc_auc`.
[[nodiscard]] Series curve(const std::vector<nlohmann::json>& metrics, std::string_view path, const std::string& name);

/// The domains of the evaluations in the metrics, in their order.
[[nodiscard]] std::vector<std::string> validated_domains(const std::vector<nlohmann::json>& metrics);

/// The comment lines at the start of a config: command, versions, hardware; without the `# `.
[[nodiscard]] std::string provenance_of(std::string_view config);

}  // namespace coterie::report
