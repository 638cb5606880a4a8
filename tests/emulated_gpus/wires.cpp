// Sockets of the machine, named after the communicator and the rank.
#include "tests/emulated_gpus/wires.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>

#include "base/str.h"
#include "tests/emulated_gpus/gpus.h"

namespace coterie::emulated {
namespace {

constexpr int kPauseMs = 10;

/// An address without a file.
struct Address {
  sockaddr_un name{};
  socklen_t length;

  Address(const std::string& key, int rank) {
    const std::string text = str("coterie-", key, "-", rank);
    name.sun_family = AF_UNIX;
    if (text.size() + 1 > sizeof(name.sun_path)) mistake("a key of a communicator is too long");
    std::memcpy(name.sun_path + 1, text.data(), text.size());
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

/// What goes before the bytes of a message.
struct Header {
  Kind kind;
  std::uint64_t bytes;
};

/// The bytes that are still to go one way.
struct Part {
  char* data;
  std::size_t bytes;
};

/// Moves what the socket allows; whether it is still connected.
bool move(int socket, std::deque<Part>& parts, bool out) {
  while (!parts.empty()) {
    Part& part = parts.front();
    while (part.bytes > 0) {
      const ssize_t moved =
          out ? ::send(socket, part.data, part.bytes, MSG_NOSIGNAL) : ::recv(socket, part.data, part.bytes, 0);
      if (moved < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
      if (moved == 0) return false;
      part.data += moved;
      part.bytes -= static_cast<std::size_t>(moved);
    }
    parts.pop_front();
  }
  return true;
}

/// What one exchange has to do with one peer.
class Traffic {
 public:
  void send(const Message& message) {
    headers_.push_back({message.kind, message.bytes});
    out_.push_back({reinterpret_cast<char*>(&headers_.back()), sizeof(Header)});
    out_.push_back({message.data, message.bytes});
  }
  void receive(const Message& message) { awaited_.push_back(message); }

  /// Moves what the socket allows; whether it is still connected.
  bool move_on(int socket) {
    if (!move(socket, out_, /*out=*/true)) return false;
    while (!awaited_.empty() || !in_.empty()) {
      if (!move(socket, in_, /*out=*/false)) return false;
      if (!in_.empty()) return true;
      if (header_awaited_)
        begin_data();
      else if (!awaited_.empty())
        begin_header();
    }
    return true;
  }

  /// What to wait for; 0 when all is done.
  [[nodiscard]] short events() const {
    return static_cast<short>((out_.empty() ? 0 : POLLOUT) | (in_.empty() ? 0 : POLLIN));
  }

 private:
  void begin_header() {
    in_.push_back({reinterpret_cast<char*>(&header_), sizeof(Header)});
    header_awaited_ = true;
  }

  void begin_data() {
    const Message& message = awaited_.front();
    if (header_.kind != message.kind || header_.bytes != message.bytes)
      mistake(str("nccl: ", header_.bytes, " bytes", header_.kind == message.kind ? "" : " of another kind",
                  " have come from rank ", message.peer, ", ", message.bytes, " are awaited"));
    in_.push_back({message.data, message.bytes});
    awaited_.pop_front();
    header_awaited_ = false;
  }

  std::deque<Header> headers_;  // of what is sent
  std::deque<Part> out_;
  std::deque<Message> awaited_;  // without the one whose data are coming
  std::deque<Part> in_;
  Header header_{};  // of the first one awaited
  bool header_awaited_ = false;
};

}  // namespace

Wires::Wires(std::string key, int ranks, int rank)
    : key_(std::move(key)), ranks_(ranks), rank_(rank), sockets_(static_cast<std::size_t>(ranks), -1) {
  const Address own(key_, rank);
  listening_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (::bind(listening_, own.get(), own.length) != 0 || ::listen(listening_, ranks) != 0)
    mistake(str("cannot listen as rank ", rank, ": ", std::strerror(errno)));
}

Wires::~Wires() {
  ::close(listening_);
  for (const int socket : sockets_)
    if (socket >= 0) ::close(socket);
}

bool Wires::connect() {
  // To the lower ranks.
  for (int peer = 0; peer < rank_; ++peer) {
    const Address address(key_, peer);
    int socket = -1;
    while (true) {
      socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (::connect(socket, address.get(), address.length) == 0) break;
      ::close(socket);
      ::poll(nullptr, 0, kPauseMs);
    }
    if (::send(socket, &rank_, sizeof(rank_), MSG_NOSIGNAL) != sizeof(rank_)) return false;
    sockets_[static_cast<std::size_t>(peer)] = socket;
  }
  // From the higher ones, in any order.
  for (int missing = ranks_ - 1 - rank_; missing > 0;) {
    pollfd waiting{listening_, POLLIN, 0};
    if (::poll(&waiting, 1, kPauseMs) <= 0) continue;
    const int socket = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    int peer = -1;
    if (socket < 0 || ::recv(socket, &peer, sizeof(peer), MSG_WAITALL) != sizeof(peer)) return false;
    sockets_[static_cast<std::size_t>(peer)] = socket;
    --missing;
  }
  for (const int socket : sockets_)
    if (socket >= 0) ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
  return true;
}

bool Wires::exchange(const std::vector<Message>& send, const std::vector<Message>& receive) {
  std::vector<Traffic> traffic(sockets_.size());
  for (const Message& message : send) traffic[static_cast<std::size_t>(message.peer)].send(message);
  for (const Message& message : receive) traffic[static_cast<std::size_t>(message.peer)].receive(message);
  while (true) {
    std::vector<pollfd> waiting;
    for (std::size_t peer = 0; peer < traffic.size(); ++peer) {
      if (!traffic[peer].move_on(sockets_[peer])) return false;
      if (const short events = traffic[peer].events(); events != 0) waiting.push_back({sockets_[peer], events, 0});
    }
    if (waiting.empty()) return true;
    ::poll(waiting.data(), waiting.size(), kPauseMs);
  }
}

}  // namespace coterie::emulated
