// The `[dist]` and `[parallel]` sections, and the choice of a device: how ranks run, and how they share the work.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "config/schema.h"

namespace coterie::dist {

/// On what ranks compute.
enum class DeviceKind : std::uint8_t {
  automatic,  ///< GPUs where every rank sees one, else the CPU
  cpu,
  cuda,  ///< one GPU for each rank of a node
};

/// The kinds as configs spell them.
inline constexpr auto kDeviceNames = std::to_array<std::string_view>({"auto", "cpu", "cuda"});

/// How each rank runs and waits.
struct DistOptions {
  std::int64_t threads = 0;
  double timeout_s = 600;
  bool share_gpu = false;
};

inline void describe(config::Visitor& v, DistOptions& o) {
  v.field("threads", o.threads, "OpenMP threads per rank; 0: the node's cores shared among its ranks", {0, 4096});
  v.field("timeout_s", o.timeout_s, "seconds that a collective may wait for other ranks before the run ends",
          {0.001, 1e6});
  v.field(
      "share_gpu", o.share_gpu,
      "ranks of a node may compute on one GPU where there are fewer GPUs than ranks; they communicate over MPI then");
}

/// How the ranks are laid out: ranks = data x expert.
struct ParallelOptions {
  std::int64_t expert = 1;
};

inline void describe(config::Visitor& v, ParallelOptions& o) {
  v.field("expert", o.expert, "ranks that share one set of experts; the other axis, data, is ranks / expert",
          {1, 65536});
}

}  // namespace coterie::dist
