#include "base/run_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/file_ops.h"

namespace coterie {
namespace {

/// The whole file. Locks of open files, not of processes: a second holder in this process is refused like any other.
struct flock whole_file(short kind) {
  struct flock range {};
  range.l_type = kind;
  range.l_whence = SEEK_SET;
  return range;
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& directory, const std::string& owner) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) throw IoError(str("run: cannot make directory '", directory.string(), "': ", error.message()));
  const fs::path path = directory / "lock";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) throw IoError(str("run: cannot open '", path.string(), "': ", errno_text(errno)));
  struct flock range = whole_file(F_WRLCK);
  if (::fcntl(fd_, F_OFD_SETLK, &range) != 0) {
    const int reason = errno;
    ::close(fd_);
    if (reason != EAGAIN && reason != EACCES)
      throw IoError(str("run: cannot lock '", path.string(), "': ", errno_text(reason)));
    throw LockedError(str("run: directory '", directory.string(), "' is in use by ", read_file(path)));
  }
  const bool written = ::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, owner.data(), owner.size(), 0) >= 0;
  if (!written) {
    const int reason = errno;
    ::close(fd_);
    throw IoError(str("run: cannot write '", path.string(), "': ", errno_text(reason)));
  }
}

RunLock::~RunLock() { ::close(fd_); }

std::string lock_owner(const std::filesystem::path& directory) {
  const fs::path path = directory / "lock";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  // Asking takes nothing: whoever takes the lock meanwhile gets it.
  struct flock range = whole_file(F_RDLCK);
  const bool held = ::fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
  ::close(fd);
  if (!held) return {};
  const std::string owner = read_file(path);
  return owner.empty() ? "a process that has not signed yet" : owner;
}

std::string this_process() { return str("process ", ::getpid(), " on ", host_name()); }

}  // namespace coterie
