// The thread that asks.
#include "dist/nccl_watch.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/log.h"

namespace coterie::dist {
namespace {

constexpr auto kPause = std::chrono::milliseconds(20);

}  // namespace

NcclWatch::NcclWatch(ncclComm_t comm, std::string group, double timeout_s)
    : comm_(comm), group_(std::move(group)), timeout_(timeout_s) {
  int gpu = 0;
  check_cuda(cudaGetDevice(&gpu), "ask for the current GPU");
  thread_ = std::thread([this, gpu] {
    // Each thread has a current GPU of its own; asking from another one would open a context there.
    static_cast<void>(cudaSetDevice(gpu));
    watch();
  });
  guard_ = std::thread([this] { guard(); });
}

NcclWatch::~NcclWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  guard_.join();
}

void NcclWatch::expect(const Operation& operation, cudaStream_t stream) {
  cudaEvent_t raw = nullptr;
  check_cuda(cudaEventCreateWithFlags(&raw, cudaEventDisableTiming), "make an event");
  Handle<EventTraits> done(raw);
  check_cuda(cudaEventRecord(raw, stream), "record an event");
  {
    const std::lock_guard lock(mutex_);
    pending_.push_back({operation, std::move(done), Clock::now()});
  }
  changed_.notify_all();
}

std::string NcclWatch::message(const Operation& operation, const std::string& what) const {
  const std::string step = operation.step < 0 ? "before the first step" : str("step ", operation.step);
  return str(operation.kind, ": ", what, ", in group ", group_, " (collective ", operation.number, " of the group, ",
             step, ")");
}

void NcclWatch::watch() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (pending_.empty()) {
      changed_.wait(lock, [&] { return stopping_ || !pending_.empty(); });
      continue;
    }
    // This thread alone takes from the front. CUDA may keep a caller waiting, so nobody waits for this one meanwhile.
    const Pending& front = pending_.front();
    asked_ = front.operation;
    asked_at_ = Clock::now();
    lock.unlock();
    const bool ended = has_ended(front);
    lock.lock();
    if (ended) {
      moved_ = Clock::now();
      std::optional<Pending> done(std::move(pending_.front()));
      pending_.pop_front();
      lock.unlock();
      done.reset();
      lock.lock();
    }
    asked_.reset();
    if (!ended) changed_.wait_for(lock, kPause, [&] { return stopping_; });
  }
}

void NcclWatch::guard() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, timeout_ / 4, [&] { return stopping_; }))
    if (asked_ && Clock::now() - asked_at_ >= timeout_)
      end(*asked_, str("CUDA did not say how it is within ", timeout_.count(), " s"), Exit::hang);
}

void NcclWatch::end(const Operation& operation, const std::string& what, Exit code) const {
  log::error(message(operation, what));
  std::_Exit(static_cast<int>(code));
}

bool NcclWatch::has_ended(const Pending& pending) {
  const cudaError_t state = cudaEventQuery(pending.done.get());
  if (state == cudaSuccess) return true;
  if (state != cudaErrorNotReady)  // of anything issued before, not of this collective alone
    end(pending.operation, str("the GPU failed in it or before it: ", cudaGetErrorString(state)), Exit::bug);
  if (const std::unique_lock turn(calling_, std::try_to_lock); turn.owns_lock()) {
    ncclResult_t result = ncclSuccess;
    if (ncclCommGetAsyncError(comm_, &result) != ncclSuccess) result = ncclInternalError;
    if (result != ncclSuccess && result != ncclInProgress)
      end(pending.operation, str("NCCL failed: ", nccl_text(result, comm_)), Exit::peer);
  }
  // Work issued before it on the stream counts only until it is done.
  if (Clock::now() - std::max(pending.since, moved_) >= timeout_)
    end(pending.operation, str("the GPU did not end it, or what was issued before it, within ", timeout_.count(), " s"),
        Exit::hang);
  return false;
}

}  // namespace coterie::dist
