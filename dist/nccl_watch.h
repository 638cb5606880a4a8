// Watches collectives on the GPU, which no host call waits for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "dist/nccl.h"
#include "dist/process_group.h"

namespace coterie::dist {

/// Ends the process when a collective fails on the GPU or does not end in time.
///
/// The thread that waits for the GPU then, in a copy or a synchronisation deep inside a library, could neither notice
/// nor be told: so a thread of this class asks events and the communicator, names the collective that hangs, tries to
/// abort the communicator for a few seconds, because that itself may hang, and ends the process with Exit::hang or
/// Exit::peer. The launcher then ends the other ranks.
class NcclWatch {
 public:
  /// @param comm   outlives the watch
  /// @param group  its name and ranks, for messages
  NcclWatch(ncclComm_t comm, std::string group, double timeout_s);
  NcclWatch(const NcclWatch&) = delete;
  NcclWatch& operator=(const NcclWatch&) = delete;
  /// Forgets what is still under way.
  ~NcclWatch();

  /// Watches everything issued on `stream` so far as belonging to `operation`.
  /// @throws CommError if CUDA cannot record
  void expect(const Operation& operation, cudaStream_t stream);

 private:
  using Clock = std::chrono::steady_clock;
  struct Pending {
    Operation operation;
    Handle<EventTraits> done;
    Clock::time_point since;
  };

  /// The message for an operation: "all_reduce: <what>, in group ...".
  [[nodiscard]] std::string message(const Operation& operation, const std::string& what) const;
  void watch();
  /// Drops what has ended; returns why the process must end, or nothing.
  [[nodiscard]] std::string look(Exit& code);
  [[noreturn]] void end(const std::string& why, Exit code);

  ncclComm_t comm_;
  std::string group_;
  std::chrono::duration<double> timeout_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Pending> pending_;
  Clock::time_point moved_ = Clock::now();  // when the front last changed
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace coterie::dist
