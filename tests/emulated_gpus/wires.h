// Connections between the processes of an emulated communicator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace coterie::emulated {

/// What a message belongs to.
enum class Kind : std::uint32_t { send, broadcast };

/// A message to a rank, or awaited from it.
struct Message {
  Kind kind;
  int peer;
  char* data;
  std::size_t bytes;
};

/// A connection to every other rank.
class Wires {
 public:
  /// @param key  the same for all ranks, and for no other communicator of this machine
  Wires(std::string key, int ranks, int rank);
  Wires(const Wires&) = delete;
  Wires& operator=(const Wires&) = delete;
  ~Wires();

  /// Returns when all ranks are connected: waits for ever for those that do not come.
  /// @return  whether they are; not if a rank has gone since it came
  bool connect();

  /// Sends and receives all at once; between two ranks messages of one direction keep their order.
  /// @return  whether all have arrived; not if a rank has gone
  bool exchange(const std::vector<Message>& send, const std::vector<Message>& receive);

 private:
  std::string key_;
  int ranks_;
  int rank_;
  int listening_ = -1;
  std::vector<int> sockets_;  // -1 for the own rank
};

}  // namespace coterie::emulated
