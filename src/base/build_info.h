// What this program was built from and with: for --version and for the header of a run's config.toml.
#pragma once

#include <string_view>

namespace coterie {

/// The facts of one build; none of them is ever empty.
struct BuildInfo {
  std::string_view version;     ///< of Coterie, as "0.1.0"
  std::string_view commit;      ///< full hash, or "unknown" outside a git checkout
  bool dirty;                   ///< tracked files differed from that commit when the program was built
  std::string_view preset;      ///< CMake preset, or "none"
  std::string_view build_type;  ///< as "Release"
  std::string_view sanitizers;  ///< as "address,undefined", or "none"
  std::string_view compiler;    ///< as "GNU 12.2.0"
  std::string_view torch;       ///< as "2.11.0"
  std::string_view mpi;         ///< as "Open MPI v4.1.4"
  std::string_view hdf5;        ///< as "1.10.8"
};

/// The facts of this build.
///
/// In a library of its own, `coterie::build_info`: it changes with every commit, and whoever links it is linked anew.
const BuildInfo& build_info() noexcept;

}  // namespace coterie
