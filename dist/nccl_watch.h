// Watches collectives on the GPU, which no host call waits for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "dist/nccl.h"
#include "dist/process_group.h"

namespace coterie::dist {

/// Ends the process when a collective fails on the GPU or does not end in time.
///
/// The thread that waits for the GPU then, in a copy or a synchronisation deep inside a library, could neither notice
/// nor be told: so a thread of this class asks events and the communicator, names the collective that hangs, and ends
/// the process with Exit::hang or Exit::peer. The launcher then ends the other ranks. The communicator is not aborted
/// before: that would end the kernel that hangs, and the thread that waits for it would go on with what the collective
/// has left unwritten. Where CUDA keeps the asking thread waiting, as it may while another one frees memory, a second
/// thread, which asks nobody, ends the process.
class NcclWatch {
 public:
  /// @param comm   outlives the watch
  /// @param group  its name and ranks, for messages
  NcclWatch(ncclComm_t comm, std::string group, double timeout_s);
  NcclWatch(const NcclWatch&) = delete;
  NcclWatch& operator=(const NcclWatch&) = delete;
  /// Forgets what is still under way.
  ~NcclWatch();

  /// For as long as it is held, the thread of this class asks the communicator nothing. Whoever calls NCCL holds it:
  /// a communicator serves one thread at a time, even for the question how it is.
  [[nodiscard]] std::unique_lock<std::mutex> turn() { return std::unique_lock(calling_); }

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
  void guard();
  [[noreturn]] void end(const Operation& operation, const std::string& what, Exit code) const;
  /// Whether the GPU has done it. Ends the process if it never will.
  [[nodiscard]] bool has_ended(const Pending& pending);

  ncclComm_t comm_;
  std::string group_;
  std::chrono::duration<double> timeout_;
  std::mutex calling_;
  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::deque<Pending> pending_;
  bool stopping_ = false;
  std::optional<Operation> asked_;  // what the thread asks CUDA about
  Clock::time_point asked_at_;
  Clock::time_point moved_ = Clock::now();  // when the front last changed; the thread's own
  std::thread thread_;
  std::thread guard_;
};

}  // namespace coterie::dist
