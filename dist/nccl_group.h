// The process group of ranks that each have a GPU of their own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dist/mpi_group.h"
#include "dist/nccl.h"
#include "dist/nccl_watch.h"

namespace coterie::dist {

/// Collectives of GPU tensors over NCCL; tensors on the CPU, such as counts and texts, go over MPI as in `MpiGroup`.
///
/// Sums fold the ranks in the order 0, 1, 2, ..., as the interface promises: values travel as rows to the rank that
/// folds their part, and the folded parts travel to all. So a GPU's bits are those of MPI, and of any cut of the
/// tensor, which NCCL's own reductions do not promise; 2 (size - 1) / size of the bytes leave this rank, as in a ring.
///
/// Everything is issued on the current stream. So it needs no synchronisation with what makes and reads the tensors,
/// and the collectives of all groups run in the order of the program, which is the same on all ranks: NCCL's
/// communicators on one GPU must not overtake each other. Nothing waits for the GPU; `NcclWatch` does. Counts on which
/// two ranks disagree are not noticed but hang, until the deadline.
class NcclGroup final : public MpiGroup {
 public:
  /// @param timeout_s  seconds that making the group, issuing a collective, and its work on the GPU may each take
  /// @throws CommError if NCCL fails; CommError with Exit::hang after the timeout
  /// @note collective over the communicator; this thread's current GPU becomes the group's
  NcclGroup(Communicator comm, std::string name, double timeout_s);
  NcclGroup(const NcclGroup&) = delete;
  NcclGroup& operator=(const NcclGroup&) = delete;
  /// Takes leave of the other ranks, but where an error unwinds: a rank that does is alone, and the process is about to
  /// end. Ends the process where another rank does not come in time, or NCCL fails.
  /// @note collective over the communicator
  ~NcclGroup() override;

 private:
  /// Bytes that go to one rank and come from it in one exchange.
  struct Message {
    int peer;
    const void* from;
    std::int64_t from_bytes;
    void* to;
    std::int64_t to_bytes;
  };

  void do_all_to_all(const at::Tensor& rows, const Splits& send, at::Tensor& out, const Splits& receive) const override;
  void do_all_reduce(at::Tensor& values, Reduce op) const override;
  void do_all_gather(const at::Tensor& rows, const Splits& counts, at::Tensor& out) const override;
  void do_reduce_scatter(const at::Tensor& rows, const Splits& counts, at::Tensor& out) const override;
  void do_broadcast(at::Tensor& values, int root) const override;

  /// Issues NCCL calls as one group of calls on the current stream, and has it watched.
  void issue(const std::function<void(cudaStream_t)>& calls) const;
  void exchange(const std::vector<Message>& messages) const;
  /// Sends each rank its block of `values` [P] and returns the fold of what all have sent here, [counts[rank()]].
  [[nodiscard]] at::Tensor fold_blocks(const at::Tensor& values, const Splits& counts, Reduce op) const;
  /// Fills the blocks of `out` [P], of which each rank has its own in place, with those of the others.
  void share_blocks(at::Tensor& out, const Splits& counts) const;
  /// @throws CommError saying what could not be done
  void check(ncclResult_t result, const std::string& doing) const;
  /// The same of a call that is part of the collective under way.
  void check(ncclResult_t result) const;
  /// Waits until NCCL has done on the host what it was asked, `doing`.
  void settle(ncclResult_t result, const std::string& doing) const;

  Handle<NcclTraits> comm_;           // null in a group of one rank
  std::unique_ptr<NcclWatch> watch_;  // after what it watches
};

}  // namespace coterie::dist
