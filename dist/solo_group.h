// A group of one rank that needs no MPI.
#pragma once

#include <memory>

#include "dist/process_group.h"

namespace coterie::dist {

/// A group of one rank for commands and tests that never start MPI; every collective on it is the identity.
[[nodiscard]] std::unique_ptr<ProcessGroup> make_solo_group();

}  // namespace coterie::dist
