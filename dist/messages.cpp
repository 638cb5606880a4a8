// Posting and awaiting messages.
#include "dist/messages.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "base/error.h"

namespace coterie::dist {
namespace {

using Clock = std::chrono::steady_clock;

/// Tags tell kinds of collective and neighbours in time apart, so that ranks that disagree about what comes next wait
/// in vain instead of taking each other's bytes. MPI promises tags up to 32767.
int tag_of(const Operation& operation) {
  constexpr std::int64_t kKinds = 8;
  return static_cast<int>((operation.number % (32768 / kKinds)) * kKinds + static_cast<std::int64_t>(operation.kind));
}

/// Spins while an answer is due any moment, then lets others run: with more ranks than cores, those waited for.
void pause_after(Clock::duration waited) {
  constexpr auto kSpin = std::chrono::microseconds(50);
  constexpr auto kYield = std::chrono::milliseconds(20);
  if (waited < kSpin) return;
  if (waited < kYield) {
    sched_yield();
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

}  // namespace

Messages::Messages(const Channel& channel, const Operation& operation, std::vector<at::Tensor> buffers)
    : channel_(channel), operation_(operation), buffers_(std::move(buffers)) {
  const auto most = 2 * static_cast<std::size_t>(channel.comm.size());
  requests_.reserve(most);
  messages_.reserve(most);
}

void Messages::receive(int from, void* to, std::int64_t bytes) {
  std::int64_t begin = 0;
  // An empty message is sent too: it is how the peers notice that they disagree.
  do {
    const std::int64_t length = std::min(bytes - begin, channel_.message_bytes);
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Irecv(static_cast<char*>(to) + begin, static_cast<int>(length), MPI_BYTE, from, tag_of(operation_),
                        channel_.comm.raw(), &request),
              "receive");
    requests_.push_back(request);
    messages_.push_back({from, length, true});
    begin += length;
  } while (begin < bytes);
}

void Messages::send(int to, const void* from, std::int64_t bytes) {
  std::int64_t begin = 0;
  do {
    const std::int64_t length = std::min(bytes - begin, channel_.message_bytes);
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Isend(static_cast<const char*>(from) + begin, static_cast<int>(length), MPI_BYTE, to,
                        tag_of(operation_), channel_.comm.raw(), &request),
              "send");
    requests_.push_back(request);
    messages_.push_back({to, length, false});
    begin += length;
  } while (begin < bytes);
}

void Messages::wait() {
  std::vector<MPI_Status> statuses(requests_.size());
  try {
    poll(statuses);
    check_arrived(statuses);
  } catch (...) {
    // MPI may still write into the buffers, and the process is about to end: they are never released.
    static_cast<void>(new std::vector<at::Tensor>(std::move(buffers_)));
    throw;
  }
}

void Messages::poll(std::vector<MPI_Status>& statuses) {
  const auto start = Clock::now();
  const std::chrono::duration<double> limit(channel_.timeout_s);
  while (true) {
    int done = 0;
    const int code = MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, statuses.data());
    if (code != MPI_SUCCESS) throw_failed(code, statuses);
    if (done != 0) return;
    const auto waited = Clock::now() - start;
    if (waited > limit) throw_hang();
    pause_after(waited);
  }
}

void Messages::check_arrived(const std::vector<MPI_Status>& statuses) const {
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    if (!messages_[i].incoming) continue;
    int bytes = 0;
    check_mpi(MPI_Get_count(&statuses[i], MPI_BYTE, &bytes), "ask for the size of a message");
    COTERIE_CHECK(ShapeError, bytes == messages_[i].bytes, operation_.kind, ": rank ", messages_[i].peer, " sent ",
                  bytes, " bytes, but ", messages_[i].bytes, " were expected, ", where());
  }
}

void Messages::throw_failed(int code, const std::vector<MPI_Status>& statuses) const {
  if (code == MPI_ERR_IN_STATUS) {
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      code = statuses[i].MPI_ERROR;
      if (code == MPI_SUCCESS || code == MPI_ERR_PENDING) continue;
      const Message& message = messages_[i];
      int kind = code;
      MPI_Error_class(code, &kind);
      COTERIE_CHECK(ShapeError, kind != MPI_ERR_TRUNCATE, operation_.kind, ": rank ", message.peer,
                    " sent more than the ", message.bytes, " bytes that were expected, ", where());
      check_mpi(code, str(message.incoming ? "receive from" : "send to", " rank ", message.peer, " in ",
                          operation_.kind, ", ", where()));
    }
  }
  check_mpi(code, str("complete ", operation_.kind, ", ", where()));
  throw CommError(str("mpi: reported a failure without a cause in ", operation_.kind, ", ", where()));
}

void Messages::throw_hang() const {
  std::set<int> missing;
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    int done = 0;
    MPI_Status status;
    check_mpi(MPI_Request_get_status(requests_[i], &done, &status), "ask whether a message is complete");
    if (done == 0) missing.insert(messages_[i].peer);
  }
  throw CommError(
      str(operation_.kind, ": no answer within ", channel_.timeout_s, " s from rank ", joined(missing), ", ", where()),
      Exit::hang);
}

std::string Messages::where() const {
  const std::string step = operation_.step < 0 ? "before the first step" : str("step ", operation_.step);
  return str("in group '", channel_.group, "' (rank ", channel_.comm.rank(), " of ", channel_.comm.size(),
             ", collective ", operation_.number, " of the group, ", step, ")");
}

}  // namespace coterie::dist
