// The process group over MPI.
#pragma once

#include <cstdint>
#include <string>

#include "dist/messages.h"
#include "dist/mpi.h"
#include "dist/process_group.h"

namespace coterie::dist {

/// Collectives over a communicator. A rank's own block is copied, never sent.
///
/// Tensors on a GPU travel through pinned memory, which waits for the GPU: same results, for ranks that share one.
class MpiGroup : public ProcessGroup {
 public:
  /// Largest single message; far below what MPI can count.
  static constexpr std::int64_t kMessageBytes = std::int64_t{1} << 30;

  /// @param timeout_s      seconds that a collective may wait for the other ranks
  /// @param message_bytes  in 1..2^31 - 1, equal on all ranks
  MpiGroup(Communicator comm, std::string name, double timeout_s, std::int64_t message_bytes = kMessageBytes);

  [[nodiscard]] int rank() const noexcept override { return channel_.comm.rank(); }
  [[nodiscard]] int size() const noexcept override { return channel_.comm.size(); }

 protected:
  /// Seconds that a collective may wait.
  [[nodiscard]] double timeout_s() const noexcept { return channel_.timeout_s; }

  void do_all_to_all(const at::Tensor& rows, const Splits& send, at::Tensor& out, const Splits& receive) const override;
  void do_all_reduce(at::Tensor& values, Reduce op) const override;
  void do_all_gather(const at::Tensor& rows, const Splits& counts, at::Tensor& out) const override;
  void do_reduce_scatter(const at::Tensor& rows, const Splits& counts, at::Tensor& out) const override;
  void do_broadcast(at::Tensor& values, int root) const override;
  void do_barrier() const override;

 private:
  /// Every rank gathers everything and folds it: one round, for values so few that latency is all.
  void reduce_by_gathering(at::Tensor& values, Reduce op) const;
  /// Each rank folds its part of `chunk`, then hands it to all: two rounds.
  void reduce_chunk(at::Tensor& chunk, at::Tensor& scratch, Reduce op) const;

  Channel channel_;
};

}  // namespace coterie::dist
