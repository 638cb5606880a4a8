// Starting, finalising and aborting MPI.
#include "dist/environment.h"

#include <mpi.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "base/error.h"
#include "dist/mpi.h"

namespace coterie::dist {

MpiEnvironment::MpiEnvironment(int& argc, char**& argv) : exceptions_(std::uncaught_exceptions()) {
  int running = 0;
  check_mpi(MPI_Initialized(&running), "ask whether MPI runs");
  COTERIE_CHECK(CommError, running == 0, "mpi: must be started once per process, got a second start");
  int provided = MPI_THREAD_SINGLE;
  check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided), "start");
  COTERIE_CHECK(CommError, provided >= MPI_THREAD_SERIALIZED,
                "mpi: thread level must be at least MPI_THREAD_SERIALIZED (", MPI_THREAD_SERIALIZED, "), got ",
                provided);
  check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "ask for the rank");
  check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size_), "ask for the number of ranks");
}

MpiEnvironment::~MpiEnvironment() {
  if (std::uncaught_exceptions() > exceptions_) return;
  MPI_Finalize();
}

void MpiEnvironment::abort(int code) noexcept {
  std::fflush(nullptr);
  int running = 0;
  int finalized = 0;
  int size = 1;
  MPI_Initialized(&running);
  MPI_Finalized(&finalized);
  if (running != 0 && finalized == 0) {
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (size > 1) MPI_Abort(MPI_COMM_WORLD, code);
  }
  // Static destructors would run into MPI's own exit handlers, which may wait for the peers.
  std::_Exit(code);
}

}  // namespace coterie::dist
