// The thread that asks.
#include "dist/nccl_watch.h"

#include <algorithm>
#include <cstdlib>
#include <future>

#include "base/log.h"

namespace coterie::dist {
namespace {

constexpr auto kPause = std::chrono::milliseconds(20);
constexpr auto kAbortPatience = std::chrono::seconds(5);

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
}

NcclWatch::~NcclWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
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
    Exit code = Exit::peer;
    const std::string why = look(code);
    if (!why.empty()) end(why, code);
    changed_.wait_for(lock, kPause, [&] { return stopping_; });
  }
}

std::string NcclWatch::look(Exit& code) {
  while (!pending_.empty()) {
    const Pending& front = pending_.front();
    const cudaError_t state = cudaEventQuery(front.done.get());
    if (state == cudaErrorNotReady) break;
    if (state != cudaSuccess) {
      code = Exit::bug;  // of anything issued before, not of this collective alone
      return message(front.operation, str("the GPU failed in it or before it: ", cudaGetErrorString(state)));
    }
    pending_.pop_front();
    moved_ = Clock::now();
  }
  if (pending_.empty()) return {};
  const Pending& front = pending_.front();
  ncclResult_t result = ncclSuccess;
  if (ncclCommGetAsyncError(comm_, &result) != ncclSuccess) result = ncclInternalError;
  if (result != ncclSuccess && result != ncclInProgress)
    return message(front.operation, str("NCCL failed: ", nccl_text(result, comm_)));
  // Work issued before it on the stream counts only until it is done.
  if (Clock::now() - std::max(front.since, moved_) < timeout_) return {};
  code = Exit::hang;
  return message(front.operation,
                 str("the GPU did not end it, or what was issued before it, within ", timeout_.count(), " s"));
}

void NcclWatch::end(const std::string& why, Exit code) {
  log::error(why);
  std::packaged_task<void()> abort([comm = comm_] { ncclCommAbort(comm); });
  const std::future<void> aborted = abort.get_future();
  std::thread(std::move(abort)).detach();
  aborted.wait_for(kAbortPatience);
  std::_Exit(static_cast<int>(code));
}

}  // namespace coterie::dist
