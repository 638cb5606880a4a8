// The cores of a node and how its ranks share them.
#pragma once

#include <cstdint>
#include <string>

#include "dist/options.h"
#include "dist/process_group.h"

namespace coterie::dist {

/// What a rank knows about its node.
struct NodeShare {
  int rank = 0;                    ///< among the ranks of the node
  int ranks = 1;                   ///< on this node
  std::int64_t own_cores = 1;      ///< on which this process may run
  std::int64_t all_cores = 1;      ///< on which at least one rank of the node may run
  std::int64_t machine_cores = 1;  ///< on which the process that started this one may run
};

/// Looks at the affinity of this process, of its parent, and of the other ranks.
///
/// @param node  the ranks of this node
/// @note collective over `node`
[[nodiscard]] NodeShare survey_node(const ProcessGroup& node);

/// OpenMP threads for this rank: those configured, or this rank's share of the cores, but never more than it may use.
[[nodiscard]] int threads_for(const DistOptions& options, const NodeShare& node);

/// What is unwise about how the ranks are placed, or nothing: ranks pinned to one core while the node has more of them
/// (Open MPI's default with up to two ranks), or more threads than cores.
[[nodiscard]] std::string placement_warning(const DistOptions& options, const NodeShare& node);

}  // namespace coterie::dist
