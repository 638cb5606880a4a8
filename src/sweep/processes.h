// Commands that run at the same time: started, asked to stop, and waited for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_ops.h"

namespace coterie::sweep {

/// What to start.
struct Command {
  std::vector<std::string> words;  ///< the program, found in the PATH if it has no '/', and its arguments
  fs::path log;                    ///< what it prints is appended to this file
};

/// How a command ended.
struct Ended {
  int id = 0;
  int code = 0;               ///< 128 + the signal's number if one ended it
  double seconds = 0.0;       ///< from its start
  double core_seconds = 0.0;  ///< processor time of it and of those it waited for
  double peak_mib = 0.0;      ///< of the largest process among these
};

/// The commands that a driver has started and not yet seen the end of. Virtual so that tests need no processes.
class Processes {
 public:
  virtual ~Processes() = default;
  /// @return an id for this command
  /// @throws IoError if it cannot be started
  [[nodiscard]] virtual int start(const Command& command) = 0;
  /// The end of one command, or nothing after so many seconds.
  [[nodiscard]] virtual std::optional<Ended> wait(double at_most_s) = 0;
  /// Sends SIGUSR1 to all: they save and end.
  virtual void ask_to_stop() = 0;
};

/// Processes of the system, each in a process group of its own, so that only this process hears Ctrl-C. When this one
/// dies they are sent SIGUSR1: a run then saves and ends, and does not go on with nobody to take its result.
[[nodiscard]] std::unique_ptr<Processes> system_processes();

}  // namespace coterie::sweep
