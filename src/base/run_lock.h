// One run directory, one live run.
#pragma once

#include <filesystem>
#include <string>

namespace coterie {

/// Holds a run directory for as long as it lives; the kernel lets go when the process dies, however it dies.
class RunLock {
 public:
  /// Takes `directory/lock`, creating both where missing, and writes `owner` (host, pid, job) into it.
  /// @throws LockedError naming the directory and its owner if another live process holds it; IoError
  RunLock(const std::filesystem::path& directory, const std::string& owner);
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  ~RunLock();

 private:
  int fd_;
};

/// The owner that holds a run directory now; empty if none does. Creates nothing, and is in nobody's way.
[[nodiscard]] std::string lock_owner(const std::filesystem::path& directory);

/// How a process of ours signs a lock: its number and its host.
[[nodiscard]] std::string this_process();

}  // namespace coterie
