// The ranks of a command: MPI, the one config of all of them, and their mesh, in the order in which they must live.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/configuration.h"
#include "dist/mesh.h"

namespace coterie::cli {

/// How a command lays out its ranks.
enum class Layout {
  as_configured,  ///< `parallel.expert` ranks share one set of experts
  replicated,     ///< every rank holds every expert: inference
};

/// Resolves the config on rank 0 and hands the text to all: ranks cannot disagree.
/// @throws ConfigError
/// @note collective over all ranks of the MPI job
[[nodiscard]] Configuration shared_configuration(const std::string& file, const CommandLine& line);

/// Makes the mesh, sets OpenMP's threads, names the rank in the log, and warns of an unwise placement.
/// @note collective over all ranks of the MPI job
[[nodiscard]] dist::Mesh make_mesh(const train::RunOptions& options, Layout layout);

/// Says before the work, on rank 0 for all, which of the files that a command will write it could not; an empty path is
/// none.
/// @throws IoError, on every rank
/// @note collective over the world
void expect_writable_for_all(const dist::Mesh& mesh, const std::vector<std::string>& paths);

}  // namespace coterie::cli
