#include "base/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/file_ops.h"

namespace coterie {

RunLock::RunLock(const std::filesystem::path& directory, const std::string& owner) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) throw IoError(str("run: cannot make directory '", directory.string(), "': ", error.message()));
  const fs::path path = directory / "lock";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) throw IoError(str("run: cannot open '", path.string(), "': ", errno_text(errno)));
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    ::close(fd_);
    if (reason != EWOULDBLOCK) throw IoError(str("run: cannot lock '", path.string(), "': ", errno_text(reason)));
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
  const bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  if (!held) return {};
  const std::string owner = read_file(path);
  return owner.empty() ? "a process that has not signed yet" : owner;
}

std::string this_process() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return str("process ", ::getpid(), " on ", host.data());
}

}  // namespace coterie
