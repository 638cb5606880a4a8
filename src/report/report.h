// `coterie report`: what a folder of runs holds, as one page.
#pragma once

#include <filesystem>
#include <string>

namespace coterie::report {

/// The page of a run: curves, measures, what its pairs and experts look like, config and hardware.
/// @throws DataError if a file of the run is damaged; IoError
[[nodiscard]] std::string run_report(const std::filesystem::path& run);

/// The page of a sweep, from its `table.json` and the metrics of its cells.
/// @throws DataError if a file is damaged; IoError
[[nodiscard]] std::string sweep_report(const std::filesystem::path& sweep);

/// The page of whichever of the two the folder is.
/// @throws ConfigError if it is neither
[[nodiscard]] std::string report(const std::filesystem::path& folder);

}  // namespace coterie::report
