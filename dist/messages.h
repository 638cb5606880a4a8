// A set of non-blocking messages that are waited for together, with a deadline.
#pragma once

#include <ATen/core/Tensor.h>
#include <mpi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "dist/mpi.h"
#include "dist/process_group.h"

namespace coterie::dist {

/// What of a group its messages need to know.
struct Channel {
  Communicator comm;
  std::string group;           ///< its name in errors
  double timeout_s;            ///< how long a wait may last
  std::int64_t message_bytes;  ///< largest single message; a longer one is cut, because MPI counts in int
};

/// The messages of one round of one collective.
///
/// Every collective is made of such rounds rather than of MPI's own collectives, so that a wait can say *which* ranks
/// are missing, a count on which two ranks disagree is noticed in both directions (MPI reports only messages that are
/// too long), sums have an order that does not depend on the MPI library, and no size is limited by `int`.
class Messages {
 public:
  /// @param buffers  the tensors that messages point into, kept alive if the round fails
  Messages(const Channel& channel, const Operation& operation, std::vector<at::Tensor> buffers);

  void receive(int from, void* to, std::int64_t bytes);
  void send(int to, const void* from, std::int64_t bytes);

  /// Returns when all messages have arrived and left.
  ///
  /// @throws CommError with Exit::hang after the channel's timeout; CommError if MPI fails; ShapeError if a message is
  ///         longer or shorter than expected
  void wait();

 private:
  struct Message {
    int peer;
    std::int64_t bytes;
    bool incoming;
  };

  /// Polls until all are complete.
  void poll(std::vector<MPI_Status>& statuses);
  void check_arrived(const std::vector<MPI_Status>& statuses) const;
  [[noreturn]] void throw_hang() const;
  [[noreturn]] void throw_failed(int code, const std::vector<MPI_Status>& statuses) const;
  [[nodiscard]] std::string where() const;

  const Channel& channel_;
  Operation operation_;
  std::vector<at::Tensor> buffers_;
  std::vector<MPI_Request> requests_;
  std::vector<Message> messages_;
};

}  // namespace coterie::dist
