// Communicators and checked MPI calls.
#include "dist/mpi.h"

#include <array>
#include <exception>

#include "base/error.h"

namespace coterie::dist {

void check_mpi(int code, std::string_view doing) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw CommError(str("mpi: cannot ", doing, ": ", std::string_view(text.data(), static_cast<std::size_t>(length))));
}

void CommTraits::release(Raw raw) noexcept {
  // Freeing is collective, and a rank that unwinds is alone; the process is about to end.
  if (std::uncaught_exceptions() > 0) return;
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (finalized == 0) MPI_Comm_free(&raw);
}

Communicator::Communicator(MPI_Comm raw) : handle_(raw) {
  check_mpi(MPI_Comm_set_errhandler(raw, MPI_ERRORS_RETURN), "set the error handler");
  check_mpi(MPI_Comm_rank(raw, &rank_), "ask for the rank");
  check_mpi(MPI_Comm_size(raw, &size_), "ask for the size");
}

Communicator Communicator::world() {
  MPI_Comm copy = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &copy), "duplicate the world");
  return Communicator(copy);
}

Communicator Communicator::split(int color, int key) const {
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(raw(), color, key, &part), "split a communicator");
  return Communicator(part);
}

Communicator Communicator::split_by_node() const {
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(raw(), MPI_COMM_TYPE_SHARED, rank(), MPI_INFO_NULL, &part), "split by node");
  return Communicator(part);
}

}  // namespace coterie::dist
