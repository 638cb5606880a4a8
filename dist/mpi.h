// Communicators as owned handles, and MPI's result codes as errors. Only dist/ includes this header.
#pragma once

#include <mpi.h>

#include <string>
#include <string_view>

#include "base/handle.h"

namespace coterie::dist {

/// @param doing  completes "cannot ..."
/// @throws CommError with MPI's own text unless `code` is MPI_SUCCESS
void check_mpi(int code, std::string_view doing);

/// How a communicator is released.
struct CommTraits {
  using Raw = MPI_Comm;
  static Raw null() noexcept { return MPI_COMM_NULL; }
  static void release(Raw raw) noexcept;
};

/// An MPI communicator of our own, on which failures are returned and turned into errors.
class Communicator {
 public:
  /// A duplicate of MPI_COMM_WORLD.
  /// @note collective over all ranks
  [[nodiscard]] static Communicator world();

  /// The ranks that pass the same `color`, in the order of `key`.
  /// @note collective over this communicator
  [[nodiscard]] Communicator split(int color, int key) const;

  /// The ranks that share memory with this one: those of its node, in the order of their ranks here.
  /// @note collective over this communicator
  [[nodiscard]] Communicator split_by_node() const;

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }
  [[nodiscard]] MPI_Comm raw() const noexcept { return handle_.get(); }

 private:
  explicit Communicator(MPI_Comm raw);

  Handle<CommTraits> handle_;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace coterie::dist
