// The error classes, one for each kind of cause, each with the exit code that `main` returns for it.
#pragma once

#include <stdexcept>
#include <string>

#include "base/str.h"

namespace coterie {

/// Exit codes of the program; launch scripts and Slurm templates act on them.
enum class Exit : int {
  ok = 0,
  config = 64,      ///< bad config or arguments
  data = 65,        ///< bad data, model or checkpoint file
  bug = 70,         ///< a bug of ours, or anything unforeseen
  locked = 73,      ///< the run directory is in use, or holds a run that must not be touched
  io = 74,          ///< the operating system refused a read or a write
  preempted = 75,   ///< checkpoint written, requeue me
  hang = 76,        ///< a collective did not end in time
  non_finite = 78,  ///< loss or gradient is not finite
  peer = 79,        ///< another rank died
};

/// Base of all errors thrown by Coterie. The text reads `<unit>: <what is wrong>, <what was got> (<where>)`.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what, Exit code = Exit::bug) : std::runtime_error(what), code_(code) {}
  [[nodiscard]] Exit code() const noexcept { return code_; }

 private:
  Exit code_;
};

/// The user's config or command line is wrong.
class ConfigError : public Error {
 public:
  explicit ConfigError(const std::string& what) : Error(what, Exit::config) {}
};

/// A data, model or checkpoint file is wrong.
class DataError : public Error {
 public:
  explicit DataError(const std::string& what) : Error(what, Exit::data) {}
};

/// The operating system refused to read or write.
class IoError : public Error {
 public:
  explicit IoError(const std::string& what) : Error(what, Exit::io) {}
};

/// A run directory is held by another live run, or holds a run that `resume` forbids to touch.
class LockedError : public Error {
 public:
  explicit LockedError(const std::string& what) : Error(what, Exit::locked) {}
};

/// Communication between ranks failed.
class CommError : public Error {
 public:
  explicit CommError(const std::string& what, Exit code = Exit::peer) : Error(what, code) {}
};

/// Loss or gradient is not finite.
class NonFiniteError : public Error {
 public:
  explicit NonFiniteError(const std::string& what) : Error(what, Exit::non_finite) {}
};

/// Shapes or counts that our own code got wrong.
class ShapeError : public Error {
 public:
  explicit ShapeError(const std::string& what) : Error(what, Exit::bug) {}
};

/// Text of `errno` with its number, for example `No space left on device (28)`.
[[nodiscard]] std::string errno_text(int error);

}  // namespace coterie

/// Throws `Kind` with the given message parts and the source line unless `condition` holds.
/// The parts are evaluated only on failure.
#define COTERIE_CHECK(Kind, condition, ...)                                                        \
  do {                                                                                             \
    if (!(condition)) [[unlikely]]                                                                 \
      throw ::coterie::Kind(::coterie::str(__VA_ARGS__, " (", __FILE_NAME__, ":", __LINE__, ")")); \
  } while (false)
