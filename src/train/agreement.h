// Whether all ranks start from the same: files may lie on disks that differ, and a rank may read a stale one.
#pragma once

#include <string>

#include "dist/mesh.h"
#include "kernels/optimizer.h"
#include "kernels/parameter_store.h"

namespace coterie::train {

/// @param what    for the message
/// @param sha256  of the file, on this rank
/// @param path    of the file, on this rank
/// @throws DataError, on every rank, naming the first rank whose file differs from rank 0's, and its path
/// @note collective over the world
void expect_same_file(const dist::ProcessGroup& world, const std::string& what, const std::string& sha256,
                      const std::string& path);

/// Compares parameters and moments among the ranks that hold the same ones: dense ones over the world, experts over the
/// data axis.
/// @param source  what they were read from
/// @throws DataError, on every rank, naming the first rank that differs, and the source
/// @note collective over the world; a SHA-256 over all of them on each rank
void expect_same_parameters(const dist::Mesh& mesh, const kernels::ParameterStore& parameters,
                            const kernels::AdamW& optimizer, const std::string& source);

}  // namespace coterie::train
