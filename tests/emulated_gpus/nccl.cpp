// NCCL's calls. As NCCL's own, a communicator that does not block is made, and takes what is issued, some time after
// the call has returned; what is issued is done in the order of the stream, whatever the communicator.
#include <nccl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/str.h"
#include "tests/emulated_gpus/gpus.h"
#include "tests/emulated_gpus/stream.h"
#include "tests/emulated_gpus/wires.h"

using coterie::str;
using namespace coterie::emulated;

struct ncclComm {
  ncclComm(const std::string& key, int all, int own) : ranks(all), rank(own), wires(key, all, own) {}

  const int ranks;
  const int rank;
  const int gpu = current_gpu();
  Wires wires;
  std::atomic<ncclResult_t> state = ncclInProgress;
  std::atomic<int> looks_to_wait = 0;    // until what was issued is taken
  std::atomic<std::thread::id> issuing;  // who waits for that
  bool finalized = false;
  std::thread connecting;
};

namespace {

/// A group of calls in the making.
struct Calls {
  ncclComm_t comm = nullptr;
  std::vector<Message> send;
  std::vector<Message> receive;
};

thread_local bool in_group = false;
thread_local Calls calls;
constexpr int kLooks = 3;
constexpr std::chrono::microseconds kPerLook(50);
/// What is issued begins so much later: the program is ahead of its GPU, and the watch finds work under way.
constexpr std::chrono::microseconds kDelay(300);

/// What NCCL says while it is at something, or why it cannot.
ncclResult_t usable(ncclComm_t comm) {
  if (comm == nullptr) return ncclInvalidArgument;
  if (comm->state != ncclSuccess || comm->looks_to_wait > 0 || comm->finalized) return ncclInvalidUsage;
  return ncclSuccess;
}

ncclResult_t add(std::vector<Message>& messages, Kind kind, const void* data, std::size_t bytes, int peer,
                 ncclComm_t comm) {
  if (const ncclResult_t result = usable(comm); result != ncclSuccess) return result;
  if (!in_group) mistake("nccl: a call outside any group");
  if (calls.comm != nullptr && calls.comm != comm) mistake("nccl: two communicators in a group");
  if (peer < 0 || peer >= comm->ranks || peer == comm->rank) mistake(str("nccl: no peer has the rank ", peer));
  if (!is_memory(data, bytes, comm->gpu)) mistake(str("nccl: ", bytes, " bytes are not all a tensor's on the GPU"));
  calls.comm = comm;
  messages.push_back({kind, peer, static_cast<char*>(const_cast<void*>(data)), bytes});
  return ncclSuccess;
}

/// What a test wants to go wrong: the number of a result.
ncclResult_t fault() {
  const char* const number = std::getenv("EMULATED_NCCL_FAULT");
  return number == nullptr ? ncclSuccess : static_cast<ncclResult_t>(std::atoi(number));
}

void run(const Calls& group) {
  std::this_thread::sleep_for(kDelay);
  const ncclResult_t wrong = fault();
  if (wrong == ncclSuccess && group.comm->wires.exchange(group.send, group.receive)) return;
  group.comm->state = wrong == ncclSuccess ? ncclRemoteError : wrong;
  while (true) std::this_thread::sleep_for(std::chrono::seconds(1));  // as a kernel on a GPU would
}

}  // namespace

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclInternalError:
      return "internal error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "remote process exited or there was a network error";
    case ncclInProgress:
      return "NCCL operation in progress";
  }
  return "unknown result code";
}

const char* ncclGetLastError(ncclComm_t /*comm*/) { return ""; }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  static std::atomic<int> made = 0;
  *id = {};
  const std::string key = str(::getpid(), "-", made++);
  std::memcpy(id->internal, key.data(), key.size());
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank, ncclConfig_t* config) {
  if (config->blocking != 0) mistake("nccl: only communicators that do not block are emulated");
  auto* const made = new ncclComm(id.internal, ranks, rank);
  made->connecting = std::thread([made] { made->state = made->wires.connect() ? ncclSuccess : ncclRemoteError; });
  *comm = made;
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  if (comm->looks_to_wait > 0) {
    if (comm->issuing.load() != std::this_thread::get_id()) mistake("nccl: two threads use a communicator at once");
    std::this_thread::sleep_for(kPerLook);
    *error = ncclInProgress;
    if (--comm->looks_to_wait > 0) return ncclSuccess;
  }
  *error = comm->state;
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  if (const ncclResult_t result = usable(comm); result != ncclSuccess) return result;
  comm->finalized = true;
  comm->state = ncclInProgress;
  issue([comm] {
    ncclResult_t under_way = ncclInProgress;
    comm->state.compare_exchange_strong(under_way, ncclSuccess);
  });
  return ncclInProgress;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  if (!comm->finalized || comm->state != ncclSuccess) mistake("nccl: a communicator is destroyed before it has ended");
  comm->connecting.join();
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  if (in_group) mistake("nccl: a group in a group");
  in_group = true;
  calls = {};
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (!in_group) mistake("nccl: the end of no group");
  in_group = false;
  if (calls.comm == nullptr) return ncclSuccess;
  calls.comm->issuing = std::this_thread::get_id();
  calls.comm->looks_to_wait = kLooks;
  issue([group = std::move(calls)] { run(group); });
  return ncclInProgress;
}

ncclResult_t ncclSend(const void* from, std::size_t count, ncclDataType_t /*type*/, int peer, ncclComm_t comm,
                      cudaStream_t /*stream*/) {
  return add(calls.send, Kind::send, from, count, peer, comm);
}

ncclResult_t ncclRecv(void* to, std::size_t count, ncclDataType_t /*type*/, int peer, ncclComm_t comm,
                      cudaStream_t /*stream*/) {
  return add(calls.receive, Kind::send, to, count, peer, comm);
}

ncclResult_t ncclBroadcast(const void* from, void* to, std::size_t count, ncclDataType_t /*type*/, int root,
                           ncclComm_t comm, cudaStream_t /*stream*/) {
  if (from != to) mistake("nccl: only broadcasts in place are emulated");
  if (root != comm->rank) return add(calls.receive, Kind::broadcast, to, count, root, comm);
  ncclResult_t result = ncclSuccess;
  for (int peer = 0; peer < comm->ranks && result == ncclSuccess; ++peer)
    if (peer != root) result = add(calls.send, Kind::broadcast, from, count, peer, comm);
  return result;
}
