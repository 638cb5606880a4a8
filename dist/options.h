// The `[dist]` and `[parallel]` sections: how ranks run, and how they share the work.
#pragma once

#include <cstdint>

#include "config/schema.h"

namespace coterie::dist {

/// How each rank runs and waits.
struct DistOptions {
  std::int64_t threads = 0;
  double timeout_s = 600;
};

inline void describe(config::Visitor& v, DistOptions& o) {
  v.field("threads", o.threads, "OpenMP threads per rank; 0: the node's cores shared among its ranks", {0, 4096});
  v.field("timeout_s", o.timeout_s, "seconds that a collective may wait for other ranks before the run ends",
          {0.001, 1e6});
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
