// The groups of CPU tensors.
#include "groups.h"

namespace coterie::dist {

std::vector<Backend> backends() {
  return {{"mpi_world", [] { return make_world(); }},
          {"mpi_world_in_tiny_messages", [] { return make_world(12); }},
          {"mpi_halves", [] { return make_part(2); }},
          {"mpi_alone", [] { return make_part(1 << 20); }},
          {"solo", [] { return make_solo_group(); }}};
}

}  // namespace coterie::dist
