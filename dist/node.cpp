// Reading affinities and sharing cores.
#include "dist/node.h"

#include <ATen/ops/empty.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "base/machine.h"

namespace coterie::dist {
namespace {

/// One bit per core; more than a plain cpu_set_t holds, because the kernel refuses masks shorter than its own.
using CoreMask = std::array<std::uint64_t, 128>;

bool read_affinity(pid_t process, CoreMask& mask) {
  mask.fill(0);
  cpu_set_t* set = reinterpret_cast<cpu_set_t*>(mask.data());
  return sched_getaffinity(process, sizeof(CoreMask), set) == 0;
}

std::int64_t count_cores(const CoreMask& mask) {
  return std::accumulate(mask.begin(), mask.end(), std::int64_t{0},
                         [](std::int64_t sum, std::uint64_t word) { return sum + std::popcount(word); });
}

std::int64_t share_of(const NodeShare& node) { return std::max<std::int64_t>(1, node.all_cores / node.ranks); }

}  // namespace

NodeShare survey_node(const ProcessGroup& node) {
  CoreMask own;
  COTERIE_CHECK(IoError, read_affinity(0, own), "node: cannot read the affinity of this process: ", errno_text(errno));
  at::Tensor masks = at::empty({1, static_cast<std::int64_t>(own.size())}, at::kLong);
  std::memcpy(masks.data_ptr(), own.data(), sizeof(own));
  masks = node.all_gather(masks, Splits(static_cast<std::size_t>(node.size()), 1));
  CoreMask all{};
  for (int rank = 0; rank < node.size(); ++rank) {
    CoreMask other;
    std::memcpy(other.data(),
                static_cast<const char*>(masks.data_ptr()) + static_cast<std::size_t>(rank) * sizeof(other),
                sizeof(other));
    std::transform(all.begin(), all.end(), other.begin(), all.begin(), std::bit_or<>());
  }
  // A parent that cannot be asked says nothing; it only serves the warning.
  CoreMask parent;
  const std::int64_t parent_cores = read_affinity(getppid(), parent) ? count_cores(parent) : 0;
  return {.rank = node.rank(),
          .ranks = node.size(),
          .own_cores = count_cores(own),
          .all_cores = std::min(count_cores(all), quota_cores()),
          .machine_cores = std::max(parent_cores, count_cores(all))};
}

int threads_for(const DistOptions& options, const NodeShare& node) {
  return static_cast<int>(options.threads > 0 ? options.threads : std::min(node.own_cores, share_of(node)));
}

std::string placement_warning(const DistOptions& options, const NodeShare& node) {
  if (node.own_cores == 1 && node.machine_cores > node.ranks)
    return str("node: each of the ", node.ranks, " ranks here is pinned to one core, the node has ", node.machine_cores,
               "; start with `mpirun --bind-to none` or launch/run.sh");
  if (options.threads > 0 && options.threads > node.own_cores)
    return str("node: dist.threads is ", options.threads, ", but this rank may use ", node.own_cores, " cores only");
  if (options.threads > 1 && options.threads * node.ranks > node.all_cores)
    return str("node: dist.threads (", options.threads, ") * ranks on this node (", node.ranks,
               ") = ", options.threads * node.ranks, ", but its ranks may use ", node.all_cores, " cores only");
  return {};
}

}  // namespace coterie::dist
